package dev.edgeretrain.demo.app;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** A photo of the gallery -> pixels. Large ones are scaled down while they are decoded. */
final class PhotoReader {
    private PhotoReader() {}

    /**
     * Decode a photo.
     *
     * @throws IOException it cannot be opened or decoded.
     * @throws OutOfMemoryError it does not fit even scaled down.
     */
    static Picture read(ContentResolver resolver, Uri photo) throws IOException {
        long start = System.nanoTime();
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        decode(resolver, photo, options);
        if (options.outWidth < 1 || options.outHeight < 1) {
            throw new IOException("not a photo that this Android knows");
        }
        options.inJustDecodeBounds = false;
        options.inSampleSize = Sampling.inSampleSize(options.outWidth, options.outHeight);
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        options.inPremultiplied = false; // transparent colours stay exact until they are laid on white
        Bitmap bitmap = decode(resolver, photo, options);
        if (bitmap == null) {
            throw new IOException("truncated or damaged file");
        }
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        int[] argb = pixels(bitmap);
        return new Picture(argb, width, height, orientation(resolver, photo), System.nanoTime() - start);
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

    private static Bitmap decode(ContentResolver resolver, Uri photo, BitmapFactory.Options options)
            throws IOException {
        InputStream stream = open(resolver, photo);
        try {
            return BitmapFactory.decodeStream(stream, null, options);
        } finally {
            stream.close();
        }
    }

    /** Of EXIF, 1 to 8; 1 for a photo without, or with damaged EXIF: the photo itself is fine. */
    private static int orientation(ContentResolver resolver, Uri photo) {
        try {
            InputStream stream = open(resolver, photo);
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

    private static InputStream open(ContentResolver resolver, Uri photo) throws IOException {
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
