package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import dev.edgeretrain.demo.TestData;
import dev.edgeretrain.demo.pixels.Fit;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.Test;

public class ModelFileTest {
    private static final List<String> SURFACES = Arrays.asList("brick", "grass", "gravel");

    @Test
    public void allFourPrecisions() throws Exception {
        for (String precision : new String[] {"float32", "float16", "dynamic", "int8"}) {
            ModelFile file = read(TestData.made("run/model." + precision + ".tflite"));
            boolean quantized = precision.equals("int8");
            assertEquals(precision, file.precision);
            assertEquals("mobilenet_v2_100_224", file.preset);
            assertEquals(224, file.size);
            assertEquals(Fit.SQUASH, file.fit);
            assertEquals(SURFACES, file.labels);
            assertTrue(file.hasCard());
            assertTrue(file.rejectBelow >= 0 && file.rejectBelow <= 1);
            assertEquals(quantized ? NumberType.UINT8 : NumberType.FLOAT32, file.input.type);
            assertEquals(quantized ? NumberType.UINT8 : NumberType.FLOAT32, file.output.type);
            assertArrayEquals(new int[] {1, 224, 224, 3}, file.input.shape);
            assertArrayEquals(new int[] {1, 3}, file.output.shape);
            assertEquals(224 * 224 * 3, file.input.elements());
            assertEquals(quantized ? 1f / 256 : 0, file.output.scale, 0);
            assertEquals(0, file.output.zeroPoint);
            assertEquals(quantized, file.input.scale > 0);
            assertEquals("probabilities", file.output.name);
            assertArrayEquals(new float[] {0, 0, 0}, file.mean, 0);
            assertArrayEquals(new float[] {1, 1, 1}, file.deviation, 0);
        }
    }

    /** Every file that android_demo/tools/odd_models.py names, each with its own message. */
    @Test
    public void refusedWithAMessageThatSaysWhy() throws Exception {
        Set<String> refused = new HashSet<String>();
        for (String line : TestData.lines(odd("refused.tsv"))) {
            String[] nameAndWhy = line.split("\t");
            File file = odd(nameAndWhy[0]);
            String message = assertThrows(nameAndWhy[0], ModelException.class, () -> read(file)).getMessage();
            assertTrue(message, message.startsWith(nameAndWhy[0] + ": "));
            assertTrue(message + " lacks " + nameAndWhy[1], message.contains(nameAndWhy[1]));
            assertTrue(message, message.endsWith(".") && !message.contains("\n"));
            refused.add(nameAndWhy[0]);
        }
        assertTrue(refused.size() + " refused", refused.size() > 30);
        for (File file : TestData.made("odd").listFiles((folder, name) -> name.endsWith(".tflite"))) {
            if (!refused.contains(file.getName())) {
                read(file);
            }
        }
    }

    @Test
    public void cardSaysHowToJudge() throws Exception {
        assertEquals(0.625f, read(odd("rejects.tflite")).rejectBelow, 0);
        assertEquals(Math.nextUp(0.625f), read(odd("rejects-finely.tflite")).rejectBelow, 0);
        for (int number = 0; number < 4; number++) {
            assertEquals(0, read(odd("rejects-oddly-" + number + ".tflite")).rejectBelow, 0);
        }
        assertEquals(Fit.CROP, read(odd("crops.tflite")).fit);
        ModelFile bare = read(odd("bare-card.tflite"));
        assertTrue(bare.hasCard());
        assertEquals("", bare.preset);
        assertEquals("", bare.precision);
        assertEquals(0, bare.rejectBelow, 0);
    }

    @Test
    public void labelsAreKeptAsTheyAre() throws Exception {
        assertEquals(
                Arrays.asList("", " b\tc", "Ünïcode \uD83C\uDF3B, quoted"), read(odd("odd-labels.tflite")).labels);
    }

    /** Other makers' models: the metadata names the labels' file, else it is the first text file. */
    @Test
    public void foreignModels() throws Exception {
        for (String name : new String[] {"foreign.tflite", "first-text.tflite"}) {
            ModelFile foreign = read(odd(name));
            assertFalse(foreign.hasCard());
            assertEquals(Arrays.asList("x", "y", "z"), foreign.labels);
            assertEquals(Fit.SQUASH, foreign.fit);
            assertEquals(0, foreign.rejectBelow, 0);
        }
        ModelFile floats = read(odd("float-with-metadata.tflite"));
        assertArrayEquals(new float[] {127.5f, 127.5f, 127.5f}, floats.mean, 0);
        assertArrayEquals(new float[] {127.5f, 127.5f, 127.5f}, floats.deviation, 0);
        ModelFile channels = read(odd("float-three-means.tflite"));
        assertArrayEquals(new float[] {1, 2, 3}, channels.mean, 0);
        assertArrayEquals(new float[] {4, 5, 6}, channels.deviation, 0);
    }

    @Test
    public void int8TensorsKeepTheirZeroPoint() throws Exception {
        ModelFile file = read(odd("int8-ends.tflite"));
        assertEquals(NumberType.INT8, file.input.type);
        assertEquals(NumberType.INT8, file.output.type);
        assertEquals(-128, file.output.zeroPoint);
        assertTrue(file.input.zeroPoint == 127 - 128 || file.input.zeroPoint == 128 - 128);
    }

    /** A mapped file inside a larger one, as an asset lies in an APK; position and limit stay. */
    @Test
    public void mappedRegionOfALargerFile() throws Exception {
        byte[] whole = TestData.bytes(odd("whole.tflite"));
        File larger = File.createTempFile("larger", ".bin");
        try (RandomAccessFile file = new RandomAccessFile(larger, "rw")) {
            file.write(new byte[4099]);
            file.write(whole);
            file.write(new byte[500]);
            ByteBuffer mapped = file.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, file.length());
            mapped.position(4099);
            mapped.limit(4099 + whole.length);
            ModelFile model = ModelFile.read(mapped, "mapped");
            assertEquals(SURFACES, model.labels);
            assertEquals(4099, mapped.position());
            assertEquals(4099 + whole.length, mapped.limit());
        } finally {
            assertTrue(larger.delete());
        }
    }

    private static File odd(String name) {
        return TestData.made("odd/" + name);
    }

    private static ModelFile read(File file) throws IOException, ModelException {
        return ModelFile.read(TestData.buffer(file), file.getName());
    }
}
