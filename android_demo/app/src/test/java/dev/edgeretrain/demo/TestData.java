package dev.edgeretrain.demo;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;

/** The folders that `android_demo/test` names, and their files. */
public final class TestData {
    private TestData() {}

    /** What android_demo/tools made: models, photos, Python's answers. */
    public static File made(String name) {
        return new File(folder("edgeretrain.data"), name);
    }

    /** The golden vectors of docs/pixels.md. */
    public static File golden(String name) {
        return new File(folder("edgeretrain.golden"), name);
    }

    public static byte[] bytes(File file) throws IOException {
        return Files.readAllBytes(file.toPath());
    }

    public static ByteBuffer buffer(File file) throws IOException {
        return ByteBuffer.wrap(bytes(file));
    }

    public static List<String> lines(File file) throws IOException {
        return Files.readAllLines(file.toPath(), StandardCharsets.UTF_8);
    }

    private static File folder(String property) {
        String folder = System.getProperty(property);
        if (folder == null) {
            throw new IllegalStateException("Run these tests by android_demo/test: -D" + property + " is not set.");
        }
        return new File(folder);
    }
}
