package dev.edgeretrain.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import org.junit.Test;

public class JsonTest {
    @Test
    public void everyKindOfValue() {
        Map<String, Object> object = Json.object(
                " {\"text\" : \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83C\\uDF3B\\u0000\",\n\"number\":-1.25e+2 ,\"zero\":0,"
                        + "\"yes\":true,\"no\":false,\"none\":null,\t\"list\":[1,[],{}, \"x\"],\"object\":{\"a\":{}}}\r\n");
        assertEquals("a\"\\/\b\f\n\r\té\uD83C\uDF3B\0", object.get("text"));
        assertEquals(-125.0, object.get("number"));
        assertEquals(0.0, object.get("zero"));
        assertEquals(true, object.get("yes"));
        assertEquals(false, object.get("no"));
        assertTrue(object.containsKey("none"));
        assertNull(object.get("none"));
        assertEquals(Arrays.asList(1.0, Collections.emptyList(), Collections.emptyMap(), "x"), object.get("list"));
        assertEquals(Collections.singletonMap("a", Collections.emptyMap()), object.get("object"));
        assertEquals(Collections.emptyMap(), Json.object("{ }"));
    }

    @Test
    public void theLastOfEqualKeysCounts() {
        assertEquals(2.0, Json.object("{\"a\":1,\"a\":2}").get("a"));
    }

    @Test
    public void refused() {
        String[] values = {
            "", "nul", "True", "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "0x1", "1 2", "'a'", "\"a", "\"\\x\"",
            "\"\\u12g4\"", "\"\\u12\"", "\"line\nbreak\"", "\"\0\"", "[1", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"}",
            "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "1/*c*/", "]", "}"
        };
        for (String value : values) {
            assertThrows(value, IllegalArgumentException.class, () -> Json.object("{\"key\":" + value + "}"));
        }
        for (String text : new String[] {"", " ", "[]", "1", "{} {}", "{},", "\uFEFF{}"}) {
            assertThrows(text, IllegalArgumentException.class, () -> Json.object(text));
        }
    }

    @Test
    public void deepNestingIsRefusedNotFollowed() {
        String nested = String.join("", Collections.nCopies(100_000, "{\"a\":"));
        assertThrows(IllegalArgumentException.class, () -> Json.object(nested));
        assertThrows(IllegalArgumentException.class, () -> Json.object("{\"a\":" + nested.replace("{\"a\":", "[")));
    }
}
