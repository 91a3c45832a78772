package dev.edgeretrain.demo.pixels;

import static org.junit.Assert.assertEquals;

import dev.edgeretrain.demo.TestData;
import java.util.List;
import java.util.Random;
import org.junit.Test;

public class ScaleTest {
    /** The table that Python is held to. */
    @Test
    public void tableOfScales() throws Exception {
        List<String> lines = TestData.lines(TestData.golden("scales.tsv"));
        assertEquals("width\theight\tsize\tdenominator", lines.get(0));
        for (String line : lines.subList(1, lines.size())) {
            String[] parts = line.split("\t");
            int width = Integer.parseInt(parts[0]);
            int height = Integer.parseInt(parts[1]);
            int size = Integer.parseInt(parts[2]);
            assertEquals(line, Integer.parseInt(parts[3]), Scale.denominator(width, height, size));
            assertEquals(line, Integer.parseInt(parts[3]), Scale.denominator(height, width, size));
        }
    }

    /** The largest that leaves both sides long enough, whatever the photo. */
    @Test
    public void longEnoughAndNotLonger() {
        Random random = new Random(0);
        for (int i = 0; i < 100_000; i++) {
            int width = 1 + random.nextInt(9000);
            int height = 1 + random.nextInt(9000);
            int size = 1 + random.nextInt(400);
            int expected = 1;
            for (int s : new int[] {2, 4, 8}) {
                if (Math.ceil(width / (double) s) >= 2 * size && Math.ceil(height / (double) s) >= 2 * size) {
                    expected = s;
                }
            }
            assertEquals(expected, Scale.denominator(width, height, size));
        }
    }

    @Test
    public void sidesAreRoundedUp() {
        assertEquals(504, Scale.side(4032, 8));
        assertEquals(504, Scale.side(4025, 8));
        assertEquals(505, Scale.side(4033, 8));
        assertEquals(1, Scale.side(1, 8));
        assertEquals(7, Scale.side(7, 1));
    }
}
