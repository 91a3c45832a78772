package dev.edgeretrain.demo.pixels;

/** The scale at which a JPEG is decoded: how far the decoder may shrink a photo before it is resized. */
public final class Scale {
    /** The resize, which has the better filter, gets sides at least so many times as long as the result's. */
    private static final int MARGIN = 2;

    private Scale() {}

    /**
     * The denominator s of the scale 1/s, as in docs/pixels.md: the largest of 8, 4, 2, 1 that leaves both sides of the
     * photo at least twice as long as the result's; 1 also where not even the whole photo is that large.
     *
     * @param width of the whole photo, pixels; which way up makes no difference.
     * @param size side of the pixels that the model sees.
     */
    public static int denominator(int width, int height, int size) {
        int shorter = Math.min(width, height);
        for (int s = 8; s > 1; s /= 2) {
            if (side(shorter, s) >= MARGIN * size) {
                return s;
            }
        }
        return 1;
    }

    /** How long a side of the whole photo is after decoding at 1/s: rounded up. */
    public static int side(int whole, int s) {
        return (whole + s - 1) / s;
    }
}
