package dev.edgeretrain.demo.model;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Engines for the tests of other packages. */
public final class Engines {
    private Engines() {}

    /** LiteRT on a whole model file; position and limit stay. */
    public static Engine liteRt(ByteBuffer model) {
        try {
            File file = File.createTempFile("model", ".tflite");
            file.deleteOnExit();
            try (FileOutputStream stream = new FileOutputStream(file)) {
                stream.getChannel().write(model.duplicate());
            }
            ModelFile read = ModelFile.read(model.duplicate(), file.getName());
            return new LiteRtEngine(System.getProperty("litert.library"), file.getPath(), read);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        } catch (ModelException error) {
            throw new IllegalArgumentException(error.getMessage());
        }
    }
}
