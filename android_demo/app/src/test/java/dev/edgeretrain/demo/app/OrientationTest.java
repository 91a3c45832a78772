package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

public class OrientationTest {
    /** Clockwise by the sensor's angle less the screen's (back), or plus it (front): CameraCharacteristics' rule. */
    @Test
    public void everySensorAndScreen() {
        int[] exif = {1, 6, 3, 8}; // of 0, 90, 180 and 270 degrees clockwise
        for (int sensor = 0; sensor < 4; sensor++) {
            for (int display = 0; display < 4; display++) {
                assertEquals(exif[(sensor - display + 4) % 4], Orientation.ofFrame(90 * sensor, 90 * display, false));
                assertEquals(exif[(sensor + display) % 4], Orientation.ofFrame(90 * sensor, 90 * display, true));
            }
        }
    }

    @Test
    public void aPhoneHeldUpright() {
        assertEquals(6, Orientation.ofFrame(90, 0, false)); // nearly every back camera
        assertEquals(8, Orientation.ofFrame(270, 0, true)); // nearly every front camera
    }

    @Test
    public void quarterTurnsSwapTheSides() {
        for (int exif = 0; exif <= 9; exif++) {
            assertEquals(exif >= 5 && exif <= 8, Orientation.swapsSides(exif));
        }
        assertTrue(Orientation.swapsSides(6));
        assertFalse(Orientation.swapsSides(3));
    }
}
