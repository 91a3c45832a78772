package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.Test;

public class YuvToArgbTest {
    /** Against the real numbers of BT.601, for the layouts that cameras have: planar, interleaved, padded, odd. */
    @Test
    public void everyLayout() {
        int[][] layouts = {{4, 4, 4, 2, 1}, {6, 4, 8, 6, 2}, {5, 3, 7, 8, 2}, {1, 1, 1, 1, 1}, {3, 5, 64, 32, 1}};
        for (int[] layout : layouts) {
            int width = layout[0];
            int height = layout[1];
            int rowStride = layout[2];
            int uvRowStride = layout[3];
            int uvPixelStride = layout[4];
            int rows = (height + 1) / 2;
            int columns = (width + 1) / 2;
            // The buffers of cameras end right behind the last sample.
            ByteBuffer y = noise((height - 1) * rowStride + width, 1);
            ByteBuffer u = noise((rows - 1) * uvRowStride + (columns - 1) * uvPixelStride + 1, 2);
            ByteBuffer v = noise((rows - 1) * uvRowStride + (columns - 1) * uvPixelStride + 1, 3);
            int[] argb = new int[width * height + 5];
            new YuvToArgb().convert(y, rowStride, u, v, uvRowStride, uvPixelStride, width, height, argb);
            for (int i = 0; i < width * height; i++) {
                int uv = i / width / 2 * uvRowStride + i % width / 2 * uvPixelStride;
                double luma = y.get(i / width * rowStride + i % width) & 255;
                double blueness = (u.get(uv) & 255) - 128;
                double redness = (v.get(uv) & 255) - 128;
                assertEquals(255, argb[i] >>> 24);
                assertNear(luma + 1.402 * redness, argb[i] >> 16 & 255);
                assertNear(luma - 0.344136 * blueness - 0.714136 * redness, argb[i] >> 8 & 255);
                assertNear(luma + 1.772 * blueness, argb[i] & 255);
            }
            assertEquals(0, argb[width * height]);
            assertEquals(0, y.position() + u.position() + v.position());
        }
    }

    @Test
    public void grayStaysGray() {
        for (int gray = 0; gray < 256; gray++) {
            int[] argb = new int[1];
            ByteBuffer neutral = ByteBuffer.wrap(new byte[] {(byte) 128});
            new YuvToArgb().convert(ByteBuffer.wrap(new byte[] {(byte) gray}), 1, neutral, neutral, 1, 1, 1, 1, argb);
            assertEquals(0xFF000000 | gray * 0x010101, argb[0]);
        }
    }

    /** One converter for frames of changing size, as after a change of camera. */
    @Test
    public void reusedForAnotherSize() {
        YuvToArgb converter = new YuvToArgb();
        for (int side : new int[] {8, 2, 16}) {
            ByteBuffer y = noise(side * side, side);
            ByteBuffer uv = noise(side * side / 4, side + 1);
            int[] reused = new int[side * side];
            int[] fresh = new int[side * side];
            converter.convert(y, side, uv, uv, side / 2, 1, side, side, reused);
            new YuvToArgb().convert(y, side, uv, uv, side / 2, 1, side, side, fresh);
            assertArrayEquals(fresh, reused);
        }
    }

    private static void assertNear(double expected, int actual) {
        double clamped = Math.max(0, Math.min(255, expected));
        assertTrue(actual + " for " + expected, Math.abs(clamped - actual) <= 0.51);
    }

    private static ByteBuffer noise(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return ByteBuffer.wrap(bytes);
    }
}
