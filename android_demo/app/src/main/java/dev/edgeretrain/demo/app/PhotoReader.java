package dev.edgeretrain.demo.app;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.media.ExifInterface;
import android.net.Uri;
import dev.edgeretrain.demo.pixels.Scale;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/**
 * A photo of the gallery -> pixels. Large ones are scaled down while they are decoded: for the screen so that they fit
 * into memory, for a model as they were in its training. The pixels that were decoded last are kept.
 */
final class PhotoReader {
    private static final String JPEG = "image/jpeg";

    private final ContentResolver resolver;
    private final Uri photo;
    private final int width;
    private final int height;
    private final boolean jpeg;
    private final int orientation;

    private Picture decoded; // null: nothing yet
    private int sample; // of the decoded one

    /**
     * Read the header of a photo.
     *
     * @throws IOException it cannot be opened, or is no photo.
     */
    PhotoReader(ContentResolver resolver, Uri photo) throws IOException {
        this.resolver = resolver;
        this.photo = photo;
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        decode(options);
        if (options.outWidth < 1 || options.outHeight < 1) {
            throw new IOException("not a photo that this Android knows");
        }
        width = options.outWidth;
        height = options.outHeight;
        jpeg = JPEG.equals(options.outMimeType);
        orientation = orientation();
    }

    /**
     * The photo as large as it can be shown.
     *
     * @throws IOException it cannot be opened or decoded.
     * @throws OutOfMemoryError it does not fit even scaled down.
     */
    Picture forScreen() throws IOException {
        return read(Sampling.forScreen(width, height));
    }

    /**
     * The photo as a model wants it that sees `size` pixels.
     *
     * @throws IOException it cannot be opened or decoded.
     * @throws OutOfMemoryError it does not fit even scaled down.
     */
    Picture forModel(int size) throws IOException {
        return read(Sampling.forModel(jpeg, width, height, size));
    }

    private Picture read(int wanted) throws IOException {
        if (decoded != null && sample == wanted) {
            return decoded;
        }
        decoded = null; // there may not be room for both
        long start = System.nanoTime();
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inSampleSize = wanted;
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        options.inPremultiplied = false; // transparent colours stay exact until they are laid on white
        Bitmap bitmap = decode(options);
        if (bitmap == null) {
            throw new IOException("truncated or damaged file");
        }
        int columns = bitmap.getWidth();
        int rows = bitmap.getHeight();
        int[] argb = pixels(bitmap);
        long nanos = System.nanoTime() - start;
        // Only a JPEG's sides are rounded up, and only where the decoder scales as libjpeg does.
        boolean asLibjpeg = jpeg && columns == Scale.side(width, wanted) && rows == Scale.side(height, wanted);
        decoded = asLibjpeg
                ? new Picture(argb, width, height, wanted, orientation, nanos)
                : new Picture(argb, columns, rows, orientation, nanos);
        sample = wanted;
        return decoded;
    }

    /** Not premultiplied ARGB of a bitmap of any kind: gray, 16 bits, in the GPU's memory. Recycles the bitmap. */
    private static int[] pixels(Bitmap bitmap) throws IOException {
        Bitmap plain = bitmap;
        if (bitmap.getConfig() != Bitmap.Config.ARGB_8888) {
            plain = bitmap.copy(Bitmap.Config.ARGB_8888, false);
            bitmap.recycle();
            if (plain == null) {
                throw new IOException("a kind of bitmap that cannot be converted");
            }
        }
        int[] argb = new int[plain.getWidth() * plain.getHeight()];
        plain.getPixels(argb, 0, plain.getWidth(), 0, 0, plain.getWidth(), plain.getHeight());
        plain.recycle();
        return argb;
    }

    private Bitmap decode(BitmapFactory.Options options) throws IOException {
        InputStream stream = open();
        try {
            return BitmapFactory.decodeStream(stream, null, options);
        } finally {
            stream.close();
        }
    }

    /** Of EXIF, 1 to 8; 1 for a photo without, or with damaged EXIF: the photo itself is fine. */
    private int orientation() {
        try {
            InputStream stream = open();
            try {
                return new ExifInterface(stream)
                        .getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL);
            } finally {
                stream.close();
            }
        } catch (IOException error) {
            return ExifInterface.ORIENTATION_NORMAL;
        } catch (RuntimeException error) { // what some versions throw on damaged EXIF
            return ExifInterface.ORIENTATION_NORMAL;
        }
    }

    private InputStream open() throws IOException {
        try {
            InputStream stream = resolver.openInputStream(photo);
            if (stream == null) {
                throw new FileNotFoundException("it is gone");
            }
            return stream;
        } catch (SecurityException error) { // the permission ends when the task does
            throw new IOException("no permission to read it", error);
        }
    }
}
