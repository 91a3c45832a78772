package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import dev.edgeretrain.demo.TestData;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.Before;
import org.junit.Test;

/** Damage anywhere gives a ModelException or a valid read, never another exception, and never takes long. */
public class DamagedModelTest {
    private byte[] whole;

    @Before
    public void read() throws Exception {
        whole = TestData.bytes(TestData.made("odd/float-with-metadata.tflite")); // no checksum hides the damage
    }

    @Test
    public void flippedBytes() {
        Random random = new Random(5);
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] damaged = whole.clone();
            for (int flips = 1 + random.nextInt(20); flips > 0; flips--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            refused += isRefused(damaged) ? 1 : 0;
        }
        assertTrue(refused + " of 20000 refused", refused > 100);
    }

    /** Where the structure is dense: the first table, the metadata, the archive. Each byte, three values. */
    @Test
    public void everyByteOfTheEnds() {
        int refused = 0;
        for (int at = 0; at < whole.length; at += at == 4096 ? whole.length - 2 * 4096 : 1) {
            for (byte value : new byte[] {0, (byte) 0x7F, (byte) 0xFF}) {
                byte[] damaged = whole.clone();
                damaged[at] = value;
                refused += isRefused(damaged) ? 1 : 0;
            }
        }
        assertTrue(refused + " refused", refused > 100);
    }

    @Test
    public void cutAnywhere() {
        for (int length = 0; length < whole.length; length += length < 300 || length > whole.length - 300 ? 1 : 97) {
            assertTrue("cut to " + length, isRefused(Arrays.copyOf(whole, length)));
        }
    }

    @Test
    public void noise() {
        Random random = new Random(6);
        for (int round = 0; round < 5_000; round++) {
            byte[] noise = new byte[8 + random.nextInt(300)];
            random.nextBytes(noise);
            for (int at = round % 2 == 0 ? 0 : noise.length; at < noise.length; at++) {
                noise[at] &= 15; // small offsets lead somewhere
            }
            System.arraycopy("TFL3".getBytes(), 0, noise, 4, 4);
            assertTrue(isRefused(noise));
        }
    }

    @Test
    public void undamagedIsRead() {
        assertEquals(false, isRefused(whole));
    }

    private static boolean isRefused(byte[] file) {
        try {
            ModelFile.read(ByteBuffer.wrap(file), "damaged");
            return false;
        } catch (ModelException expected) {
            return true;
        }
    }
}
