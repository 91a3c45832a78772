package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

public class SamplingTest {
    @Test
    public void cameraPhotos() {
        assertEquals(1, Sampling.inSampleSize(1, 1));
        assertEquals(1, Sampling.inSampleSize(1920, 1080));
        assertEquals(2, Sampling.inSampleSize(4000, 3000)); // 12 megapixels
        assertEquals(4, Sampling.inSampleSize(8000, 6000)); // 48
        assertEquals(8, Sampling.inSampleSize(16320, 12240)); // 200
    }

    /** The smallest power of two that is enough, whatever the size. */
    @Test
    public void enoughAndNotMore() {
        int[] sides = {1, 100, 2047, 2048, 2049, 4096, 65535, Integer.MAX_VALUE / 2};
        for (int width : sides) {
            for (int height : sides) {
                int sample = Sampling.inSampleSize(width, height);
                assertEquals(1, Integer.bitCount(sample));
                assertTrue(pixels(width, height, sample) <= Sampling.MOST_PIXELS);
                assertTrue(sample == 1 || pixels(width, height, sample / 2) > Sampling.MOST_PIXELS);
            }
        }
    }

    private static double pixels(int width, int height, int sample) {
        return Math.ceil((double) width / sample) * Math.ceil((double) height / sample);
    }
}
