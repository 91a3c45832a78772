package dev.edgeretrain.demo.pixels;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import dev.edgeretrain.demo.TestData;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.Test;

/** Every vector of tests/golden/pixels, none skipped: the same bytes as Python's. */
public class GoldenVectorsTest {
    private static final Pattern VECTOR = Pattern.compile(
            "\"input\": \"(.+)\",\\s*\"kind\": \"(.+)\",\\s*\"size\": (\\d+),\\s*\"fit\": \"(.+)\",\\s*\"output\": \"(.+)\","
                    + "\\s*\"sha256\": \".+\"(?:,\\s*\"width\": (\\d+),\\s*\"height\": (\\d+),\\s*\"denominator\": (\\d+),"
                    + "\\s*\"decoded\": \"(.+)\")?");

    @Test
    public void allVectorsToTheBit() throws Exception {
        Matcher vector = VECTOR.matcher(new String(TestData.bytes(TestData.golden("manifest.json")), "UTF-8"));
        Set<String> kinds = new TreeSet<String>();
        Set<Integer> denominators = new TreeSet<Integer>();
        int count = 0;
        while (vector.find()) {
            boolean jpeg = vector.group(9) != null;
            // Of a JPEG, what libjpeg-turbo decodes at the scale lies beside it: Java's own decoder has no scale.
            StoredPhoto photo = new StoredPhoto(TestData.bytes(TestData.golden(vector.group(jpeg ? 9 : 1))));
            int size = Integer.parseInt(vector.group(3));
            int width = jpeg ? Integer.parseInt(vector.group(6)) : photo.width;
            int height = jpeg ? Integer.parseInt(vector.group(7)) : photo.height;
            int s = jpeg ? Scale.denominator(width, height, size) : 1;
            if (jpeg) {
                assertEquals(Integer.parseInt(vector.group(8)), s);
                assertEquals(Scale.side(width, s), photo.width);
                assertEquals(Scale.side(height, s), photo.height);
                denominators.add(s);
            }
            byte[] pixels = Pixels.prepare(
                    photo.argb, width, height, s, photo.orientation, size, Fit.named(vector.group(4)));
            assertArrayEquals(vector.group(5), TestData.bytes(TestData.golden(vector.group(5))), pixels);
            kinds.add(vector.group(2));
            count++;
        }
        assertEquals("[alpha, exif, gray, gray16, jpeg, opaque, palette, profile]", kinds.toString());
        assertEquals("[1, 2, 4, 8]", denominators.toString());
        assertEquals(TestData.golden("").list((folder, name) -> name.endsWith(".rgb")).length, count);
    }
}
