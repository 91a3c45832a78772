package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.robolectric.shadow.api.Shadow.extract;

import android.content.ContentResolver;
import android.net.Uri;
import dev.edgeretrain.demo.TestData;
import dev.edgeretrain.demo.pixels.Fit;
import java.io.ByteArrayInputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowContentResolver;

/** The golden JPEGs, decoded by Android's own code at the scale that training used: to the bit what Python says. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class PhotoReaderTest {
    private static final Pattern VECTOR = Pattern.compile(
            "\"input\": \"(.+)\",\\s*\"kind\": \"jpeg\",\\s*\"size\": (\\d+),\\s*\"fit\": \"(.+)\",\\s*\"output\": \"(.+)\"");

    @Test
    public void goldenJpegs() throws Exception {
        Matcher vector = VECTOR.matcher(new String(TestData.bytes(TestData.golden("manifest.json")), "UTF-8"));
        int count = 0;
        while (vector.find()) {
            byte[] expected = TestData.bytes(TestData.golden(vector.group(4)));
            int size = Integer.parseInt(vector.group(2));
            Picture picture = open(vector.group(1)).forModel(size);
            assertArrayEquals(vector.group(4), expected, picture.prepare(size, Fit.named(vector.group(3))));
            count++;
        }
        assertTrue(count + " vectors", count >= 15);
    }

    /** Decoded again only for another scale. */
    @Test
    public void sameScaleSamePicture() throws Exception {
        PhotoReader reader = open("eighth.jpg"); // 301 x 377
        Picture screen = reader.forScreen();
        assertEquals(301, screen.width);
        assertTrue(screen == reader.forModel(100));
        Picture scaled = reader.forModel(19);
        assertEquals(38, scaled.width);
        assertEquals(48, scaled.height);
        assertTrue(scaled == reader.forModel(1));
        assertEquals(151, reader.forModel(40).width);
    }

    private static PhotoReader open(String name) throws Exception {
        byte[] photo = TestData.bytes(TestData.golden(name));
        ContentResolver resolver = RuntimeEnvironment.getApplication().getContentResolver();
        Uri uri = Uri.parse("content://photos/" + name);
        ShadowContentResolver photos = extract(resolver);
        photos.registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(photo));
        return new PhotoReader(resolver, uri);
    }
}
