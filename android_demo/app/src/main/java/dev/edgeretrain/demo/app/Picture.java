package dev.edgeretrain.demo.app;

import dev.edgeretrain.demo.pixels.Fit;
import dev.edgeretrain.demo.pixels.Pixels;
import dev.edgeretrain.demo.pixels.Scale;

/** Pixels to classify: a camera frame or a decoded photo, not yet upright. */
final class Picture {
    /** width * height pixels, not premultiplied, row after row; may be longer. */
    final int[] argb;

    final int width;
    final int height;

    /** Of EXIF, 1 to 8: how to turn it upright. */
    final int orientation;

    /** What making these pixels took: the YUV conversion or the decoding, nanoseconds. */
    final long nanos;

    private final int wholeWidth;
    private final int wholeHeight;
    private final int denominator;

    Picture(int[] argb, int width, int height, int orientation, long nanos) {
        this(argb, width, height, 1, orientation, nanos);
    }

    /**
     * A photo decoded at a scale.
     *
     * @param wholeWidth of the photo, pixels; wholeHeight in the same way.
     * @param denominator s of the scale 1/s, see Scale.
     */
    Picture(int[] argb, int wholeWidth, int wholeHeight, int denominator, int orientation, long nanos) {
        this.argb = argb;
        this.wholeWidth = wholeWidth;
        this.wholeHeight = wholeHeight;
        this.denominator = denominator;
        width = Scale.side(wholeWidth, denominator);
        height = Scale.side(wholeHeight, denominator);
        this.orientation = orientation;
        this.nanos = nanos;
    }

    /** What a model sees of it: see Pixels.prepare. */
    byte[] prepare(int size, Fit fit) {
        return Pixels.prepare(argb, wholeWidth, wholeHeight, denominator, orientation, size, fit);
    }
}
