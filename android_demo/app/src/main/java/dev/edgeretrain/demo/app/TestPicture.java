package dev.edgeretrain.demo.app;

/** The picture that a delegate is tried on: drawn by arithmetic, so that it is the same on every device. */
final class TestPicture {
    static final int SIDE = 256;

    private TestPicture() {}

    /** A sky, a meadow of fine stripes and a red disk: smooth, sharp and coloured areas. */
    static Picture draw() {
        int[] argb = new int[SIDE * SIDE];
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                int dx = x - 160;
                int dy = y - 110;
                int pixel;
                if (dx * dx + dy * dy < 50 * 50) {
                    pixel = rgb(220, 40 + x / 4, 30);
                } else if (y < 150) {
                    pixel = rgb(120 + y / 4, 160 + y / 3, 240);
                } else {
                    pixel = (x + y / 2) % 6 < 3 ? rgb(40, 120 + x / 8, 30) : rgb(90, 180, 60 + y / 8);
                }
                argb[y * SIDE + x] = pixel;
            }
        }
        return new Picture(argb, SIDE, SIDE, 1, 0);
    }

    private static int rgb(int red, int green, int blue) {
        return 0xFF000000 | red << 16 | green << 8 | blue;
    }
}
