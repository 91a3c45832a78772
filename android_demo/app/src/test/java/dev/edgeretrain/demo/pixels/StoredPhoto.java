package dev.edgeretrain.demo.pixels;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import javax.imageio.ImageIO;

/** A PNG or BMP of the golden vectors, decoded as docs/pixels.md wants it: pixels as they are stored, orientation. */
final class StoredPhoto {
    final int[] argb;
    final int width;
    final int height;
    final int orientation;

    StoredPhoto(byte[] file) throws IOException {
        BufferedImage image = ImageIO.read(new ByteArrayInputStream(file));
        width = image.getWidth();
        height = image.getHeight();
        orientation = orientation(file);
        argb = new int[width * height];
        for (int i = 0; i < argb.length; i++) {
            argb[i] = pixel(image, i % width, i / width);
        }
    }

    /** From the samples: BufferedImage.getRGB would take gray as linear light and make it brighter. */
    private static int pixel(BufferedImage image, int x, int y) {
        Raster samples = image.getRaster();
        if (image.getColorModel() instanceof IndexColorModel) {
            return ((IndexColorModel) image.getColorModel()).getRGB(samples.getSample(x, y, 0));
        }
        int shift = samples.getSampleModel().getSampleSize(0) - 8;
        int bands = samples.getNumBands();
        boolean gray = bands < 3;
        int red = samples.getSample(x, y, 0) >> shift;
        int green = gray ? red : samples.getSample(x, y, 1) >> shift;
        int blue = gray ? red : samples.getSample(x, y, 2) >> shift;
        int alpha = bands % 2 == 0 ? samples.getSample(x, y, bands - 1) >> shift : 255;
        return alpha << 24 | red << 16 | green << 8 | blue;
    }

    /** Of the `eXIf` chunk, whose block holds one tag and is big-endian. */
    private static int orientation(byte[] file) {
        for (int at = 0; at + 4 < file.length; at++) {
            if (file[at] == 'e' && file[at + 1] == 'X' && file[at + 2] == 'I' && file[at + 3] == 'f') {
                return ByteBuffer.wrap(file).getShort(at + 4 + 18);
            }
        }
        return 1;
    }
}
