package dev.edgeretrain.demo.pixels;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Random;
import org.junit.Test;

public class PixelsTest {
    /** Rounded to the nearest, as a real number would be: all 65,536 pairs. */
    @Test
    public void alphaLiesOnWhite() {
        for (int alpha = 0; alpha < 256; alpha++) {
            for (int colour = 0; colour < 256; colour++) {
                int[] argb = {alpha << 24 | colour << 16 | 255 << 8 | colour};
                byte[] pixels = Pixels.prepare(argb, 1, 1, 1, 1, Fit.SQUASH);
                long expected = Math.round((255.0 * (255 - alpha) + colour * alpha) / 255);
                assertEquals(expected, pixels[0] & 255);
                assertEquals(255, pixels[1] & 255);
                assertEquals(expected, pixels[2] & 255);
            }
        }
    }

    /** Against the table of docs/pixels.md: where pixel (x, y) of the upright photo is stored. */
    @Test
    public void everyOrientation() {
        int w = 5;
        int h = 3;
        int[] stored = noise(w * h, 1);
        for (int orientation = 1; orientation <= 8; orientation++) {
            int width = orientation < 5 ? w : h;
            int height = orientation < 5 ? h : w;
            int[] upright = new int[w * h];
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    int[] columns = {x, w - 1 - x, w - 1 - x, x, y, y, w - 1 - y, w - 1 - y};
                    int[] rows = {y, y, h - 1 - y, h - 1 - y, x, h - 1 - x, h - 1 - x, x};
                    upright[y * width + x] = stored[rows[orientation - 1] * w + columns[orientation - 1]];
                }
            }
            for (Fit fit : Fit.values()) {
                assertArrayEquals(
                        "orientation " + orientation,
                        Pixels.prepare(upright, width, height, 1, 4, fit),
                        Pixels.prepare(stored, w, h, orientation, 4, fit));
            }
        }
    }

    @Test
    public void unknownOrientationIsAsItIs() {
        int[] argb = noise(6, 2);
        byte[] asItIs = Pixels.prepare(argb, 3, 2, 1, 4, Fit.SQUASH);
        for (int orientation : new int[] {0, 9, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            assertArrayEquals(asItIs, Pixels.prepare(argb, 3, 2, orientation, 4, Fit.SQUASH));
        }
    }

    @Test
    public void sameSizeChangesNothing() {
        int[] argb = noise(9 * 9, 3);
        byte[] pixels = Pixels.prepare(argb, 9, 9, 1, 9, Fit.SQUASH);
        for (int i = 0; i < argb.length; i++) {
            assertEquals(argb[i] & 0xFFFFFF, (pixels[3 * i] & 255) << 16 | (pixels[3 * i + 1] & 255) << 8 | pixels[3 * i + 2] & 255);
        }
    }

    @Test
    public void cropSeesNothingOutsideTheSquare() {
        int[] argb = noise(11 * 4, 4);
        byte[] pixels = Pixels.prepare(argb, 11, 4, 1, 3, Fit.CROP);
        for (int i = 0; i < argb.length; i++) {
            if (i % 11 < 3 || i % 11 > 6) {
                argb[i] = 0xFF00FF00;
            }
        }
        assertArrayEquals(pixels, Pixels.prepare(argb, 11, 4, 1, 3, Fit.CROP));
    }

    /** A photo of 12 megapixels must not be copied: less than a twentieth of it is allocated. */
    @Test
    public void largePhotoNeedsLittleMemory() {
        int[] argb = new int[4000 * 3000];
        Arrays.fill(argb, 0xFF123456);
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        long before = threads.getThreadAllocatedBytes(thread);
        byte[] pixels = Pixels.prepare(argb, 4000, 3000, 6, 224, Fit.SQUASH);
        long allocated = threads.getThreadAllocatedBytes(thread) - before;
        assertTrue(allocated + " bytes", allocated < 4L * argb.length / 20);
        for (int i = 0; i < pixels.length; i += 3) {
            assertEquals(0x12, pixels[i]);
            assertEquals(0x34, pixels[i + 1]);
            assertEquals(0x56, pixels[i + 2]);
        }
    }

    /** What was decoded beyond the photo's right side and bottom stays out, whichever way the photo is turned. */
    @Test
    public void scaledPhotosAreNotStretched() {
        int s = 8;
        for (int[] sides : new int[][] {{137, 99}, {99, 137}, {129, 161}}) {
            int w = Scale.side(sides[0], s);
            int h = Scale.side(sides[1], s);
            int[] slope = new int[w * h]; // red rises to the right, green to the bottom
            for (int i = 0; i < slope.length; i++) {
                int red = 40 + 9 * (i % w);
                int green = 30 + 8 * (i / w);
                slope[i] = 0xFF000000 | red << 16 | green << 8;
            }
            for (int orientation = 1; orientation <= 8; orientation++) {
                byte[] pixels = Pixels.prepare(slope, sides[0], sides[1], s, orientation, 5, Fit.SQUASH);
                for (int y = 0; y < 5; y++) {
                    for (int x = 0; x < 5; x++) {
                        int[] columns = {x, 4 - x, 4 - x, x, y, y, 4 - y, 4 - y};
                        int[] rows = {y, y, 4 - y, 4 - y, x, 4 - x, 4 - x, x};
                        int column = columns[orientation - 1];
                        int row = rows[orientation - 1];
                        if (column % 4 != 0 && row % 4 != 0) { // the outermost see less than a whole filter
                            double red = 40 + 9 * ((column + 0.5) / 5 * sides[0] / s - 0.5);
                            double green = 30 + 8 * ((row + 0.5) / 5 * sides[1] / s - 0.5);
                            int at = 3 * (5 * y + x);
                            assertEquals(red, pixels[at] & 255, 1.0);
                            assertEquals(green, pixels[at + 1] & 255, 1.0);
                        }
                    }
                }
            }
        }
    }

    @Test
    public void photoIsNotChanged() {
        int[] argb = noise(30, 5);
        int[] copy = argb.clone();
        Pixels.prepare(argb, 6, 5, 7, 8, Fit.CROP);
        assertArrayEquals(copy, argb);
    }

    @Test
    public void wrongArguments() {
        int[] argb = new int[6];
        int[][] wrong = {{0, 6, 4}, {6, 0, 4}, {-2, -3, 4}, {3, 2, 0}, {3, 3, 4}, {65536, 65536, 4}};
        for (int[] one : wrong) {
            assertThrows(
                    Arrays.toString(one),
                    IllegalArgumentException.class,
                    () -> Pixels.prepare(argb, one[0], one[1], 1, one[2], Fit.SQUASH));
        }
        Pixels.prepare(argb, 6, 4, 2, 1, 4, Fit.SQUASH);
        assertThrows(IllegalArgumentException.class, () -> Pixels.prepare(argb, 7, 4, 2, 1, 4, Fit.SQUASH));
        assertThrows(IllegalArgumentException.class, () -> Pixels.prepare(argb, 6, 4, 0, 1, 4, Fit.SQUASH));
    }

    @Test
    public void fitsByName() {
        assertEquals(Fit.SQUASH, Fit.named("squash"));
        assertEquals(Fit.CROP, Fit.named("crop"));
        for (String name : new String[] {"Crop", "SQUASH", "", "pad", null}) {
            assertThrows(IllegalArgumentException.class, () -> Fit.named(name));
        }
    }

    private static int[] noise(int length, int seed) {
        return new Random(seed).ints(length).map(argb -> argb | 0xFF000000).toArray();
    }
}
