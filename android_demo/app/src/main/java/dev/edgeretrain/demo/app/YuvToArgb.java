package dev.edgeretrain.demo.app;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/**
 * Camera frames (YUV_420_888) -> ARGB: BT.601 over the full range, which is JPEG's and the camera's. The constants are
 * those of libjpeg, 16 bits behind the point. Use it from one thread at a time.
 */
final class YuvToArgb {
    private static final int HALF = 1 << 15;
    private static final int RED_V = 91881; // 1.402
    private static final int GREEN_U = 22554; // 0.344136
    private static final int GREEN_V = 46802; // 0.714136
    private static final int BLUE_U = 116130; // 1.772

    private byte[] yRow = new byte[0];
    private byte[] uRow = new byte[0];
    private byte[] vRow = new byte[0];

    /**
     * Convert one frame.
     *
     * @param y one byte a pixel, rows yRowStride bytes apart. The buffers' positions stay as they are.
     * @param u a sample for each 2 x 2 pixels, uvPixelStride bytes apart in rows uvRowStride bytes apart.
     * @param v laid out as u.
     * @param argb takes width * height opaque pixels, row after row.
     */
    void convert(
            ByteBuffer y, int yRowStride,
            ByteBuffer u, ByteBuffer v, int uvRowStride, int uvPixelStride,
            int width, int height, int[] argb) {
        int halfWidth = (width + 1) / 2;
        int uvLength = (halfWidth - 1) * uvPixelStride + 1; // the last row may end right behind its last sample
        yRow = grown(yRow, width);
        uRow = grown(uRow, uvLength);
        vRow = grown(vRow, uvLength);
        ByteBuffer ySource = y.duplicate();
        ByteBuffer uSource = u.duplicate();
        ByteBuffer vSource = v.duplicate();
        int to = 0;
        for (int row = 0; row < height; row++) {
            read(ySource, row * yRowStride, yRow, width);
            if (row % 2 == 0) {
                read(uSource, row / 2 * uvRowStride, uRow, uvLength);
                read(vSource, row / 2 * uvRowStride, vRow, uvLength);
            }
            for (int x = 0; x < width; x++) {
                int luma = (yRow[x] & 255) << 16;
                int sample = (x >> 1) * uvPixelStride;
                int cu = (uRow[sample] & 255) - 128;
                int cv = (vRow[sample] & 255) - 128;
                int red = clamp(luma + RED_V * cv + HALF >> 16);
                int green = clamp(luma - GREEN_U * cu - GREEN_V * cv + HALF >> 16);
                int blue = clamp(luma + BLUE_U * cu + HALF >> 16);
                argb[to++] = 0xFF000000 | red << 16 | green << 8 | blue;
            }
        }
    }

    /** Whole rows at once: reading single bytes of a direct buffer is slow. */
    private static void read(ByteBuffer from, int start, byte[] row, int length) {
        // As a Buffer: newer libraries give ByteBuffer a position() of its own, which older phones lack.
        ((Buffer) from).position(start);
        from.get(row, 0, length);
    }

    private static byte[] grown(byte[] row, int length) {
        return row.length < length ? new byte[length] : row;
    }

    private static int clamp(int value) {
        return value < 0 ? 0 : value > 255 ? 255 : value;
    }
}
