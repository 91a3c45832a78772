package dev.edgeretrain.demo.app;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.ModelException;
import dev.edgeretrain.demo.model.ModelFile;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A `.tflite` file in the app's assets: usable, or not and why. */
final class AssetModel {
    private static final String SUFFIX = ".tflite";

    /** The file's name without its suffix. */
    final String name;

    /** Null when the model cannot be used. */
    final ModelFile file;

    /** The whole file, mapped; null when the model cannot be used. */
    final ByteBuffer bytes;

    /** Why it cannot be used; null when it can. */
    final String problem;

    private AssetModel(String name, ModelFile file, ByteBuffer bytes, String problem) {
        this.name = name;
        this.file = file;
        this.bytes = bytes;
        this.problem = problem;
    }

    boolean usable() {
        return file != null;
    }

    /** All of them by name, the usable ones first. Reads the files: not for the main thread. */
    static List<AssetModel> list(Context context) {
        String[] files;
        try {
            files = context.getAssets().list("");
        } catch (IOException error) {
            files = null;
        }
        List<AssetModel> usable = new ArrayList<AssetModel>();
        List<AssetModel> unusable = new ArrayList<AssetModel>();
        if (files != null) {
            Arrays.sort(files);
            for (String file : files) {
                if (file.endsWith(SUFFIX)) {
                    AssetModel model = read(context, file);
                    (model.usable() ? usable : unusable).add(model);
                }
            }
        }
        usable.addAll(unusable);
        return usable;
    }

    private static AssetModel read(Context context, String file) {
        String name = file.substring(0, file.length() - SUFFIX.length());
        try {
            ByteBuffer bytes = map(context, file);
            return new AssetModel(name, ModelFile.read(bytes.duplicate(), name), bytes, null);
        } catch (FileNotFoundException error) { // what openFd throws for a compressed asset
            return new AssetModel(name, null, null, name + ": " + context.getString(R.string.model_compressed));
        } catch (IOException error) {
            return new AssetModel(name, null, null, name + ": " + error.getMessage());
        } catch (ModelException error) {
            return new AssetModel(name, null, null, error.getMessage());
        }
    }

    private static ByteBuffer map(Context context, String file) throws IOException {
        AssetFileDescriptor asset = context.getAssets().openFd(file);
        try {
            FileInputStream stream = new FileInputStream(asset.getFileDescriptor());
            try {
                return stream.getChannel()
                        .map(FileChannel.MapMode.READ_ONLY, asset.getStartOffset(), asset.getDeclaredLength())
                        .order(ByteOrder.nativeOrder());
            } finally {
                stream.close();
            }
        } finally {
            asset.close();
        }
    }
}
