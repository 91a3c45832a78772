package dev.edgeretrain.demo.pixels;

/** Where an upright photo's pixels lie in the stored one, by EXIF orientation. No pixel is moved for it. */
final class Upright {
    final int width;
    final int height;

    /** Whether width and height have changed places. */
    final boolean turned;

    /** The pixel (x, y) of the upright photo is stored at {@code origin + x * right + y * down}. */
    final int origin;

    final int right;
    final int down;

    /** Orientation 1 to 8 as in EXIF; anything else means 1, as it is. */
    Upright(int storedWidth, int storedHeight, int orientation) {
        int w = storedWidth;
        int h = storedHeight;
        int topRight = w - 1;
        int bottomLeft = (h - 1) * w;
        int bottomRight = h * w - 1;
        turned = orientation >= 5 && orientation <= 8;
        width = turned ? h : w;
        height = turned ? w : h;
        switch (orientation) {
            case 2:
                origin = topRight;
                right = -1;
                down = w;
                break;
            case 3:
                origin = bottomRight;
                right = -1;
                down = -w;
                break;
            case 4:
                origin = bottomLeft;
                right = 1;
                down = -w;
                break;
            case 5:
                origin = 0;
                right = w;
                down = 1;
                break;
            case 6:
                origin = bottomLeft;
                right = -w;
                down = 1;
                break;
            case 7:
                origin = bottomRight;
                right = -w;
                down = -1;
                break;
            case 8:
                origin = topRight;
                right = w;
                down = -1;
                break;
            default:
                origin = 0;
                right = 1;
                down = w;
        }
    }
}
