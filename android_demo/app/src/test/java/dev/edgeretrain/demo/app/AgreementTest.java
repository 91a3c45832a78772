package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

public class AgreementTest {
    private static final float[] CPU = {0.1f, 0.7f, 0.2f};

    @Test
    public void sameOrNearlySame() {
        assertTrue(new Agreement(CPU, CPU).holds());
        assertEquals(0, new Agreement(CPU, CPU).difference, 0);
        assertTrue(new Agreement(CPU, new float[] {0.13f, 0.65f, 0.22f}).holds());
    }

    @Test
    public void otherTopOrFarOff() {
        assertFalse(new Agreement(new float[] {0.49f, 0.51f}, new float[] {0.51f, 0.49f}).holds());
        assertFalse(new Agreement(CPU, new float[] {0.3f, 0.5f, 0.2f}).holds());
    }

    @Test
    public void brokenDrivers() {
        assertFalse(new Agreement(CPU, new float[] {Float.NaN, Float.NaN, Float.NaN}).holds());
        assertFalse(new Agreement(CPU, new float[] {0.1f, 0.7f, Float.NaN}).holds());
        assertFalse(new Agreement(CPU, new float[3]).holds());
        assertFalse(new Agreement(CPU, new float[] {0, Float.POSITIVE_INFINITY, 0}).holds());
    }
}
