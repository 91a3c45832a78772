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
            "\"input\": \"(.+)\",\\s*\"kind\": \"(.+)\",\\s*\"size\": (\\d+),\\s*\"fit\": \"(.+)\",\\s*\"output\": \"(.+)\"");

    @Test
    public void allVectorsToTheBit() throws Exception {
        Matcher vector = VECTOR.matcher(new String(TestData.bytes(TestData.golden("manifest.json")), "UTF-8"));
        Set<String> kinds = new TreeSet<String>();
        int count = 0;
        while (vector.find()) {
            StoredPhoto photo = new StoredPhoto(TestData.bytes(TestData.golden(vector.group(1))));
            int size = Integer.parseInt(vector.group(3));
            byte[] pixels = Pixels.prepare(
                    photo.argb, photo.width, photo.height, photo.orientation, size, Fit.named(vector.group(4)));
            assertArrayEquals(vector.group(5), TestData.bytes(TestData.golden(vector.group(5))), pixels);
            kinds.add(vector.group(2));
            count++;
        }
        assertEquals("[alpha, exif, gray, gray16, opaque, palette]", kinds.toString());
        assertEquals(TestData.golden("").list((folder, name) -> name.endsWith(".rgb")).length, count);
    }
}
