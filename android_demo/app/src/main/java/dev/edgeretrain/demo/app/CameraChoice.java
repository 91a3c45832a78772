package dev.edgeretrain.demo.app;

import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.util.Size;
import android.view.SurfaceHolder;

/** The camera to use and the sizes of its pictures. */
final class CameraChoice {
    /** Short side of the frames to classify: twice the usual 224, so that a turned or cropped frame has enough. */
    private static final int FRAME_SHORT_SIDE = 480;

    /** Longest side of the preview; every camera can show this and deliver frames beside it. */
    private static final int PREVIEW_LONG_SIDE = 1280;

    final String id;
    final int sensorDegrees;
    final boolean front;

    /** {width, height} in the sensor's own position. */
    final int[] frame;

    final int[] preview;

    private CameraChoice(String id, int sensorDegrees, boolean front, int[] frame, int[] preview) {
        this.id = id;
        this.sensorDegrees = sensorDegrees;
        this.front = front;
        this.frame = frame;
        this.preview = preview;
    }

    /** The first camera that looks away from the user, else the first of any kind; null when there is none. */
    static CameraChoice find(CameraManager manager) throws CameraAccessException {
        CameraChoice other = null;
        for (String id : manager.getCameraIdList()) {
            CameraCharacteristics camera = manager.getCameraCharacteristics(id);
            CameraChoice choice = of(id, camera);
            Integer facing = camera.get(CameraCharacteristics.LENS_FACING);
            if (choice != null && facing != null && facing == CameraCharacteristics.LENS_FACING_BACK) {
                return choice;
            }
            if (other == null) {
                other = choice;
            }
        }
        return other;
    }

    /** Null for a camera without frames, such as a depth sensor. */
    private static CameraChoice of(String id, CameraCharacteristics camera) {
        StreamConfigurationMap map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
        if (map == null) {
            return null;
        }
        int[] frame = FrameSize.forModel(sides(map.getOutputSizes(ImageFormat.YUV_420_888)), FRAME_SHORT_SIDE);
        if (frame == null) {
            return null;
        }
        int[] preview = FrameSize.forScreen(sides(map.getOutputSizes(SurfaceHolder.class)), frame, PREVIEW_LONG_SIDE);
        Integer degrees = camera.get(CameraCharacteristics.SENSOR_ORIENTATION);
        Integer facing = camera.get(CameraCharacteristics.LENS_FACING);
        boolean front = facing != null && facing == CameraCharacteristics.LENS_FACING_FRONT;
        return new CameraChoice(id, degrees == null ? 0 : degrees, front, frame, preview);
    }

    private static int[][] sides(Size[] sizes) {
        int[][] sides = new int[sizes == null ? 0 : sizes.length][];
        for (int i = 0; i < sides.length; i++) {
            sides[i] = new int[] {sizes[i].getWidth(), sizes[i].getHeight()};
        }
        return sides;
    }
}
