package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import dev.edgeretrain.demo.TestData;
import dev.edgeretrain.demo.pixels.Fit;
import dev.edgeretrain.demo.pixels.Pixels;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.Test;

/** The app's own classes, with LiteRT behind them, against what Python said about the same photos. */
public class ParityTest {
    private static final float TOLERANCE = 1e-5f;

    /** A line of photos.tsv and its file. */
    private static final class Photo {
        final String name;
        final int width;
        final int height;
        final int orientation;
        final int[] argb;

        Photo(String line) throws Exception {
            String[] parts = line.split("\t");
            name = parts[0];
            width = Integer.parseInt(parts[1]);
            height = Integer.parseInt(parts[2]);
            orientation = Integer.parseInt(parts[3]);
            argb = new int[width * height];
            TestData.buffer(TestData.made(name + ".argb")).asIntBuffer().get(argb);
        }

        byte[] prepared(int size, Fit fit) {
            return Pixels.prepare(argb, width, height, orientation, size, fit);
        }
    }

    /** Keeps the bytes that the network gave. */
    private static final class Recorder implements Engine {
        private final Engine engine;
        byte[] raw;

        Recorder(Engine engine) {
            this.engine = engine;
        }

        @Override
        public void run(ByteBuffer input, ByteBuffer output) throws ModelException {
            engine.run(input, output);
            output.rewind();
            raw = new byte[output.remaining()];
            output.get(raw);
        }

        @Override
        public void close() {
            engine.close();
        }
    }

    @Test
    public void samePixelsAsPython() throws Exception {
        for (Photo photo : photos()) {
            for (Fit fit : Fit.values()) {
                String file = photo.name + "." + fit.name().toLowerCase() + ".rgb";
                assertArrayEquals(file, TestData.bytes(TestData.made(file)), photo.prepared(224, fit));
            }
        }
    }

    @Test
    public void sameAnswersAsPython() throws Exception {
        List<Photo> photos = photos();
        assertEquals(50, photos.size());
        System.out.println("\nprecision  photos  largest difference  equal bytes  same top-1");
        boolean allEqual = true;
        for (String precision : new String[] {"float32", "float16", "dynamic", "int8"}) {
            allEqual &= compare(precision, photos);
        }
        assertTrue("Java and Python differ; see the table", allEqual);
    }

    private static boolean compare(String precision, List<Photo> photos) throws Exception {
        File path = TestData.made("run/model." + precision + ".tflite");
        ModelFile file = ModelFile.read(TestData.buffer(path), path.getName());
        Recorder engine = new Recorder(new LiteRtEngine(System.getProperty("litert.library"), path.getPath(), file));
        Classifier classifier = new Classifier(file, engine);
        float largest = 0;
        int sameBytes = 0;
        int sameTop = 0;
        for (Photo photo : photos) {
            byte[] rgb = photo.prepared(file.size, file.fit);
            String stem = photo.name + "." + precision;
            float[] expected = new float[file.labels.size()];
            TestData.buffer(TestData.made(stem + ".floats")).asFloatBuffer().get(expected);
            float[] probabilities = classifier.probabilities(rgb);
            sameBytes += Arrays.equals(TestData.bytes(TestData.made(stem + ".raw")), engine.raw) ? 1 : 0;
            int top = 0;
            for (int i = 0; i < expected.length; i++) {
                largest = Math.max(largest, Math.abs(expected[i] - probabilities[i]));
                top = expected[i] > expected[top] ? i : top;
            }
            sameTop += file.labels.get(top).equals(classifier.classify(rgb, 1).get(0).label) ? 1 : 0;
        }
        engine.close();
        int count = photos.size();
        System.out.printf(
                "%-9s  %6d  %18.1e  %7d/%d  %7d/%d%n",
                precision, count, largest, sameBytes, count, sameTop, count);
        boolean quantized = file.output.type != NumberType.FLOAT32;
        return sameTop == count && (quantized ? sameBytes == count && largest == 0 : largest <= TOLERANCE);
    }

    private static List<Photo> photos() throws Exception {
        List<Photo> photos = new ArrayList<Photo>();
        for (String line : TestData.lines(TestData.made("photos.tsv"))) {
            photos.add(new Photo(line));
        }
        return photos;
    }
}
