package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import dev.edgeretrain.demo.TestData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import org.junit.Test;

/** With engines that only look at what they get and answer what they are told. */
public class ClassifierTest {
    private static final int NUMBERS = 224 * 224 * 3;

    private static final class FakeEngine implements Engine {
        private final byte[] answer;
        byte[] seen;

        FakeEngine(byte... answer) {
            this.answer = answer;
        }

        static FakeEngine of(float... answer) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * answer.length).order(ByteOrder.nativeOrder());
            bytes.asFloatBuffer().put(answer);
            return new FakeEngine(bytes.array());
        }

        @Override
        public void run(ByteBuffer input, ByteBuffer output) {
            assertTrue(input.isDirect() && output.isDirect());
            assertEquals(ByteOrder.nativeOrder(), input.order());
            assertEquals(0, input.position());
            assertEquals(0, output.position());
            assertEquals(answer.length, output.remaining());
            seen = new byte[input.remaining()];
            input.get(seen);
            output.put(answer);
        }

        @Override
        public void close() {}

        float[] seenFloats() {
            float[] floats = new float[seen.length / 4];
            ByteBuffer.wrap(seen).order(ByteOrder.nativeOrder()).asFloatBuffer().get(floats);
            return floats;
        }
    }

    @Test
    public void uint8TakesThePixelsAsTheyAre() throws Exception {
        FakeEngine engine = new FakeEngine((byte) 0, (byte) 255, (byte) 128);
        byte[] rgb = ramp();
        float[] probabilities = new Classifier(file("odd/whole.tflite"), engine).probabilities(rgb);
        assertArrayEquals(rgb, engine.seen);
        assertArrayEquals(new float[] {0, 255f / 256, 0.5f}, probabilities, 0);
    }

    @Test
    public void int8TakesThemMovedBy128() throws Exception {
        FakeEngine engine = new FakeEngine((byte) -128, (byte) 127, (byte) 0);
        float[] probabilities = new Classifier(file("odd/int8-ends.tflite"), engine).probabilities(ramp());
        for (int i = 0; i < NUMBERS; i++) {
            assertEquals((i & 255) - 128, engine.seen[i]);
        }
        assertArrayEquals(new float[] {0, 255f / 256, 0.5f}, probabilities, 0);
    }

    @Test
    public void floatTakesRawPixels() throws Exception {
        FakeEngine engine = FakeEngine.of(0.25f, 0.7f, 0.05f);
        float[] probabilities = new Classifier(file("run/model.float32.tflite"), engine).probabilities(ramp());
        float[] seen = engine.seenFloats();
        assertEquals(NUMBERS, seen.length);
        for (int i = 0; i < NUMBERS; i++) {
            assertEquals(i & 255, seen[i], 0);
        }
        assertArrayEquals(new float[] {0.25f, 0.7f, 0.05f}, probabilities, 0);
    }

    @Test
    public void floatIsNormalizedAsTheMetadataSays() throws Exception {
        FakeEngine engine = FakeEngine.of(1, 0, 0);
        new Classifier(file("odd/float-three-means.tflite"), engine).probabilities(ramp());
        float[] seen = engine.seenFloats();
        for (int i = 0; i < NUMBERS; i++) {
            assertEquals(((i & 255) - (1f + i % 3)) / (4f + i % 3), seen[i], 0);
        }
    }

    @Test
    public void mostProbableFirstAndTiesInTheOrderOfTheLabels() throws Exception {
        ModelFile file = file("run/model.float32.tflite");
        assertEquals("[gravel 0.5, brick 0.25, grass 0.25]", classify(file, 5, 0.25f, 0.25f, 0.5f).toString());
        assertEquals("[gravel 0.5, brick 0.25]", classify(file, 2, 0.25f, 0.25f, 0.5f).toString());
        assertEquals("[brick 0.0, grass -0.0, gravel -1.0]", classify(file, 3, 0f, -0f, -1f).toString());
        assertEquals("[grass -0.0, gravel 0.0, brick -1.0]", classify(file, 3, -1f, -0f, 0f).toString());
        assertEquals("[gravel 0.1, grass -1.0, brick NaN]", classify(file, 3, Float.NaN, -1f, 0.1f).toString());
        assertEquals("[]", classify(file, 0, 0.25f, 0.25f, 0.5f).toString());
    }

    @Test
    public void rejectsBelowTheThresholdOnly() throws Exception {
        Classifier strict = new Classifier(file("odd/rejects.tflite"), new FakeEngine((byte) 0, (byte) 0, (byte) 0));
        ModelFile lenient = file("odd/bare-card.tflite");
        assertTrue(strict.rejected(top(0.62f)));
        assertFalse(strict.rejected(top(0.625f)));
        assertFalse(new Classifier(lenient, new FakeEngine()).rejected(top(0)));
    }

    @Test
    public void wrongNumberOfPixels() throws Exception {
        Classifier classifier = new Classifier(file("odd/whole.tflite"), new FakeEngine((byte) 0, (byte) 0, (byte) 0));
        assertThrows(IllegalArgumentException.class, () -> classifier.probabilities(new byte[NUMBERS - 1]));
    }

    private static List<Prediction> classify(ModelFile file, int topK, float... answer) throws ModelException {
        return new Classifier(file, FakeEngine.of(answer)).classify(new byte[NUMBERS], topK);
    }

    private static List<Prediction> top(float score) {
        return Collections.singletonList(new Prediction("a", score));
    }

    private static byte[] ramp() {
        byte[] rgb = new byte[NUMBERS];
        for (int i = 0; i < NUMBERS; i++) {
            rgb[i] = (byte) i;
        }
        return rgb;
    }

    private static ModelFile file(String name) throws Exception {
        return ModelFile.read(TestData.buffer(TestData.made(name)), name);
    }
}
