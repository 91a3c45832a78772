package dev.edgeretrain.demo.app;

import dev.edgeretrain.demo.pixels.Scale;

/** How far a large photo is scaled down while it is decoded: values of BitmapFactory.Options.inSampleSize. */
final class Sampling {
    /** Pixels of a decoded photo: with the copies on the way to the screen 48 MB, which every phone's heap has. */
    static final int MOST_PIXELS = 4 << 20;

    private Sampling() {}

    /**
     * The smallest power of 2 that leaves at most MOST_PIXELS.
     *
     * @param width of the photo in the file, pixels.
     */
    static int forScreen(int width, int height) {
        int sample = 1;
        // Rounded up, as decoders may.
        while ((long) Scale.side(width, sample) * Scale.side(height, sample) > MOST_PIXELS) {
            sample *= 2;
        }
        return sample;
    }

    /**
     * What a model was trained with: a JPEG at its scale, anything else whole; but always at most MOST_PIXELS.
     *
     * @param size side of the pixels that the model sees.
     */
    static int forModel(boolean jpeg, int width, int height, int size) {
        int scale = jpeg ? Scale.denominator(width, height, size) : 1;
        return Math.max(scale, forScreen(width, height));
    }
}
