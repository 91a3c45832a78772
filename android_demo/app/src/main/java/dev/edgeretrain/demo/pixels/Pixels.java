package dev.edgeretrain.demo.pixels;

import java.util.Arrays;

/**
 * A photo -> the pixels that a model sees: the arithmetic of docs/pixels.md, bit for bit what edgeretrain/pixels.py
 * gives. Upright, alpha on white, square, then a bilinear resize with antialiasing.
 */
public final class Pixels {
    private Pixels() {}

    /** The pixels of one photo that was decoded whole: as below, with the denominator 1. */
    public static byte[] prepare(int[] argb, int width, int height, int orientation, int size, Fit fit) {
        return prepare(argb, width, height, 1, orientation, size, fit);
    }

    /**
     * The pixels of one photo.
     *
     * <p>Beside the photo it needs 12 * size * size bytes and about 8 for each pixel of a row and of a column: rows are
     * resized one by one and added to the sums of the vertical pass at once.
     *
     * @param argb the decoded pixels, Scale.side(width, denominator) in each of Scale.side(height, denominator) rows
     *     from the top, not premultiplied, as Bitmap.getPixels gives them. Not changed.
     * @param width of the whole photo, pixels.
     * @param height of the whole photo.
     * @param denominator s of the scale 1/s at which it was decoded, see Scale.
     * @param orientation of EXIF, 1 to 8; anything else means 1, upright already.
     * @param size side of the result, pixels.
     * @return size * size * 3 bytes: R, G, B of each pixel, row after row from the top.
     * @throws IllegalArgumentException no pixels, fewer than the photo has at this scale, or no size.
     */
    public static byte[] prepare(
            int[] argb, int width, int height, int denominator, int orientation, int size, Fit fit) {
        if (width < 1 || height < 1 || denominator < 1 || size < 1) {
            throw new IllegalArgumentException(
                    "A photo of " + width + " x " + height + " pixels at 1/" + denominator
                            + " cannot become one of side " + size + ".");
        }
        int s = denominator;
        if ((long) Scale.side(width, s) * Scale.side(height, s) > argb.length) {
            throw new IllegalArgumentException(
                    argb.length + " pixels are too few for " + width + " x " + height + " at 1/" + s + ".");
        }
        Upright photo = new Upright(Scale.side(width, s), Scale.side(height, s), orientation);
        boolean turned = photo.turned;
        // The photo in the upright picture, in pixels of the whole one. The last column or row that was decoded may
        // reach beyond it, and may be the first one now.
        int columns = turned ? height : width;
        int rows = turned ? width : height;
        int left = photo.right < 0 ? photo.width * s - columns : 0;
        int top = photo.down < 0 ? photo.height * s - rows : 0;
        if (fit == Fit.CROP) {
            int side = Math.min(columns, rows);
            left += (columns - side) / 2;
            top += (rows - side) / 2;
            columns = side;
            rows = side;
        }
        int firstColumn = left / s;
        int firstRow = top / s;
        int start = photo.origin + firstColumn * photo.right + firstRow * photo.down;
        int columnsRead = Scale.side(left + columns, s) - firstColumn;
        int rowsRead = Scale.side(top + rows, s) - firstRow;
        Weights across = new Weights(columnsRead, (double) (left % s) / s, (double) columns / s, size);
        Weights down = new Weights(rowsRead, (double) (top % s) / s, (double) rows / s, size);
        int[] sums = new int[size * size * 3];
        Arrays.fill(sums, Weights.HALF);
        int[] row = new int[columnsRead * 3];
        int[] narrow = new int[size * 3];
        int oldest = 0;
        for (int y = 0; y < rowsRead; y++) {
            readRow(argb, start + y * photo.down, photo.right, row);
            resizeRow(row, across, narrow);
            while (oldest < size && down.first[oldest] + down.of[oldest].length <= y) {
                oldest++;
            }
            for (int i = oldest; i < size && down.first[i] <= y; i++) {
                add(narrow, weight(down, i, y), sums, i * narrow.length);
            }
        }
        byte[] pixels = new byte[sums.length];
        for (int i = 0; i < sums.length; i++) {
            pixels[i] = (byte) Weights.sample(sums[i]);
        }
        return pixels;
    }

    private static int weight(Weights down, int i, int y) {
        int place = y - down.first[i];
        return place < down.of[i].length ? down.of[i][place] : 0;
    }

    /** One upright row: R, G, B of each pixel, alpha laid on white. */
    private static void readRow(int[] argb, int start, int step, int[] row) {
        int from = start;
        for (int to = 0; to < row.length; to += 3) {
            int pixel = argb[from];
            from += step;
            int red = pixel >> 16 & 255;
            int green = pixel >> 8 & 255;
            int blue = pixel & 255;
            int alpha = pixel >>> 24;
            if (alpha != 255) {
                red = over(alpha, red);
                green = over(alpha, green);
                blue = over(alpha, blue);
            }
            row[to] = red;
            row[to + 1] = green;
            row[to + 2] = blue;
        }
    }

    /** A colour of this opacity on white, rounded to the nearest. */
    private static int over(int alpha, int colour) {
        int t = 255 * (255 - alpha) + colour * alpha + 128;
        return t + (t >> 8) >> 8;
    }

    private static void resizeRow(int[] row, Weights weights, int[] narrow) {
        for (int i = 0; i < weights.of.length; i++) {
            int[] of = weights.of[i];
            int from = weights.first[i] * 3;
            int red = Weights.HALF;
            int green = Weights.HALF;
            int blue = Weights.HALF;
            for (int x = 0; x < of.length; x++) {
                red += of[x] * row[from];
                green += of[x] * row[from + 1];
                blue += of[x] * row[from + 2];
                from += 3;
            }
            narrow[3 * i] = Weights.sample(red);
            narrow[3 * i + 1] = Weights.sample(green);
            narrow[3 * i + 2] = Weights.sample(blue);
        }
    }

    private static void add(int[] narrow, int weight, int[] sums, int start) {
        for (int x = 0; x < narrow.length; x++) {
            sums[start + x] += weight * narrow[x];
        }
    }
}
