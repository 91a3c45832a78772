package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import dev.edgeretrain.demo.pixels.Fit;
import java.util.HashSet;
import java.util.Set;
import org.junit.Test;

public class TestPictureTest {
    /** A delegate is tried on it: it must be opaque, in range, and something to look at. */
    @Test
    public void opaqueAndVaried() {
        Picture picture = TestPicture.draw();
        assertEquals(picture.width * picture.height, picture.argb.length);
        Set<Integer> colours = new HashSet<Integer>();
        for (int argb : picture.argb) {
            assertEquals(255, argb >>> 24);
            colours.add(argb);
        }
        assertTrue(colours.size() + " colours", colours.size() > 100);
        for (Fit fit : Fit.values()) {
            byte[] pixels = picture.prepare(224, fit);
            assertEquals(224 * 224 * 3, pixels.length);
        }
    }
}
