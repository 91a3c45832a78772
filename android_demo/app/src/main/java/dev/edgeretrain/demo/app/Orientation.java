package dev.edgeretrain.demo.app;

/** How a camera frame must be turned, said as an EXIF orientation. */
final class Orientation {
    private Orientation() {}

    /**
     * The EXIF orientation of a frame.
     *
     * @param sensorDegrees CameraCharacteristics.SENSOR_ORIENTATION: 0, 90, 180 or 270.
     * @param displayDegrees how far the screen is turned from its natural position: 0, 90, 180 or 270.
     * @param front whether the camera faces the user.
     * @return 1, 6, 3 or 8. Frames are never mirrored: only previews of front cameras are.
     */
    static int ofFrame(int sensorDegrees, int displayDegrees, boolean front) {
        int turn = front ? sensorDegrees + displayDegrees : sensorDegrees - displayDegrees + 360;
        switch (turn % 360) {
            case 90:
                return 6;
            case 180:
                return 3;
            case 270:
                return 8;
            default:
                return 1;
        }
    }

    /** Whether width and height change places when such a picture is turned upright. */
    static boolean swapsSides(int exif) {
        return exif >= 5 && exif <= 8;
    }
}
