package dev.edgeretrain.demo.app;

/** How far a large photo is scaled down while it is decoded. */
final class Sampling {
    /** Pixels of a decoded photo: with the copies on the way to the screen 48 MB, which every phone's heap has. */
    static final int MOST_PIXELS = 4 << 20;

    private Sampling() {}

    /**
     * BitmapFactory.Options.inSampleSize: the smallest power of 2 that leaves at most MOST_PIXELS.
     *
     * @param width of the photo in the file, pixels.
     */
    static int inSampleSize(int width, int height) {
        int sample = 1;
        // Rounded up, as decoders may.
        while ((long) ((width + sample - 1) / sample) * ((height + sample - 1) / sample) > MOST_PIXELS) {
            sample *= 2;
        }
        return sample;
    }
}
