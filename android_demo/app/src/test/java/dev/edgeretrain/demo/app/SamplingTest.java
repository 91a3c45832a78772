package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

public class SamplingTest {
    @Test
    public void cameraPhotos() {
        assertEquals(1, Sampling.forScreen(1, 1));
        assertEquals(1, Sampling.forScreen(1920, 1080));
        assertEquals(2, Sampling.forScreen(4000, 3000)); // 12 megapixels
        assertEquals(4, Sampling.forScreen(8000, 6000)); // 48
        assertEquals(8, Sampling.forScreen(16320, 12240)); // 200
    }

    /** A JPEG as in training; what does not fit into memory then is made smaller still. */
    @Test
    public void forTheModel() {
        assertEquals(1, Sampling.forModel(true, 894, 894, 224));
        assertEquals(2, Sampling.forModel(true, 895, 1000, 224));
        assertEquals(4, Sampling.forModel(true, 4032, 3024, 224));
        assertEquals(8, Sampling.forModel(true, 4032, 3024, 96));
        assertEquals(8, Sampling.forModel(true, 16320, 12240, 224));
        assertEquals(2, Sampling.forModel(true, 12000, 890, 224)); // the rule would leave it whole
        assertEquals(1, Sampling.forModel(false, 2000, 1500, 224));
        assertEquals(2, Sampling.forModel(false, 4032, 3024, 224));
    }

    /** The smallest power of two that is enough, whatever the size. */
    @Test
    public void enoughAndNotMore() {
        int[] sides = {1, 100, 2047, 2048, 2049, 4096, 65535, Integer.MAX_VALUE / 2};
        for (int width : sides) {
            for (int height : sides) {
                int sample = Sampling.forScreen(width, height);
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
