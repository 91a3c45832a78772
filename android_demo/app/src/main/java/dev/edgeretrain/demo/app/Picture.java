package dev.edgeretrain.demo.app;

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

    Picture(int[] argb, int width, int height, int orientation, long nanos) {
        this.argb = argb;
        this.width = width;
        this.height = height;
        this.orientation = orientation;
        this.nanos = nanos;
    }
}
