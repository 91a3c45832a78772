package dev.edgeretrain.demo.app;

import android.graphics.Bitmap;
import android.graphics.Matrix;

/** A picture for the screen: upright. */
final class PhotoBitmap {
    private PhotoBitmap() {}

    static Bitmap of(Picture picture) {
        Bitmap bitmap = Bitmap.createBitmap(picture.argb, picture.width, picture.height, Bitmap.Config.ARGB_8888);
        Matrix upright = matrix(picture.orientation);
        if (upright.isIdentity()) {
            return bitmap;
        }
        Bitmap turned = Bitmap.createBitmap(bitmap, 0, 0, picture.width, picture.height, upright, true);
        bitmap.recycle();
        return turned;
    }

    /** What EXIF's orientations 2 to 8 ask for: first mirror, then turn. */
    private static Matrix matrix(int orientation) {
        Matrix matrix = new Matrix();
        if (orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7) {
            matrix.postScale(-1, 1);
        }
        if (orientation == 3 || orientation == 4) {
            matrix.postRotate(180);
        } else if (orientation == 6 || orientation == 7) {
            matrix.postRotate(90);
        } else if (orientation == 5 || orientation == 8) {
            matrix.postRotate(270);
        }
        return matrix;
    }
}
