package dev.edgeretrain.demo.app;

import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.os.Looper;
import android.view.Display;
import android.view.Surface;
import dev.edgeretrain.demo.R;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The live camera, from start() to stop(), once: its preview goes to a surface, its frames to the classifier. All but
 * those two runs on the camera thread, which therefore needs no locks.
 */
final class CameraSource {
    /** Told on the main thread, at most once, and not after stop(). */
    interface Listener {
        /** @param reason a string resource. */
        void onCameraFailed(int reason);
    }

    /** How long stop() waits for the camera to close before the app goes into the background without it. */
    private static final long STOP_MILLIS = 1000;

    /**
     * Lives as long as the process: Android's camera classes post to its handler even after close(), and throw when it
     * has quit.
     */
    private static Handler cameraHandler;

    private final Handler main = new Handler(Looper.getMainLooper());
    private final Handler handler;
    private final CameraManager manager;
    private final CameraChoice choice;
    private final Surface preview;
    private final Display display;
    private final ClassifierThread classifier;
    private final YuvToArgb converter = new YuvToArgb();
    private final int[] argb;

    private Listener listener; // main thread only; null after stop()
    private boolean stopped;
    private CameraDevice device;
    private ImageReader reader;

    CameraSource(
            CameraManager manager, CameraChoice choice, Surface preview, Display display, ClassifierThread classifier,
            Listener listener) {
        this.manager = manager;
        this.choice = choice;
        this.preview = preview;
        this.display = display;
        this.classifier = classifier;
        this.listener = listener;
        argb = new int[choice.frame[0] * choice.frame[1]];
        handler = handler();
    }

    /** Open the camera. Main thread. */
    void start() {
        handler.post(new Runnable() {
            @Override
            public void run() {
                open();
            }
        });
    }

    /** Close the camera; returns when other apps can have it, or after a second. Main thread. */
    void stop() {
        listener = null;
        final CountDownLatch closed = new CountDownLatch(1);
        handler.post(new Runnable() {
            @Override
            public void run() {
                close();
                closed.countDown();
            }
        });
        try {
            closed.await(STOP_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private static synchronized Handler handler() {
        if (cameraHandler == null) {
            HandlerThread thread = new HandlerThread("camera");
            thread.start();
            cameraHandler = new Handler(thread.getLooper());
        }
        return cameraHandler;
    }

    private void open() {
        if (stopped) {
            return;
        }
        try {
            manager.openCamera(choice.id, new DeviceCallback(), handler);
        } catch (CameraAccessException error) {
            fail(reason(error));
        } catch (SecurityException error) { // the permission was taken back
            fail(R.string.camera_denied);
        } catch (RuntimeException error) { // an id that is gone, and what drivers make of it
            fail(R.string.camera_failed);
        }
    }

    /** Safe to call twice. A camera that is still opening is closed by its callback. */
    private void close() {
        stopped = true;
        if (device != null) {
            device.close();
            device = null;
        }
        if (reader != null) {
            reader.close(); // after the camera that fills it; frames are only read on this thread, so none is in use
            reader = null;
        }
    }

    private void fail(final int reason) {
        if (stopped) {
            return;
        }
        close();
        main.post(new Runnable() {
            @Override
            public void run() {
                if (listener != null) {
                    listener.onCameraFailed(reason);
                }
            }
        });
    }

    private static int reason(CameraAccessException error) {
        switch (error.getReason()) {
            case CameraAccessException.CAMERA_IN_USE:
            case CameraAccessException.MAX_CAMERAS_IN_USE:
                return R.string.camera_in_use;
            case CameraAccessException.CAMERA_DISABLED:
                return R.string.camera_disabled;
            case CameraAccessException.CAMERA_DISCONNECTED:
                return R.string.camera_lost;
            default:
                return R.string.camera_failed;
        }
    }

    private void startSession() {
        try {
            // Two: the one being read and the newest.
            reader = ImageReader.newInstance(choice.frame[0], choice.frame[1], ImageFormat.YUV_420_888, 2);
            reader.setOnImageAvailableListener(new FrameListener(), handler);
            device.createCaptureSession(
                    Arrays.asList(preview, reader.getSurface()), new SessionCallback(), handler);
        } catch (CameraAccessException error) {
            fail(reason(error));
        } catch (RuntimeException error) { // the surface is gone: the screen is being left
            fail(R.string.camera_failed);
        }
    }

    private void startFrames(CameraCaptureSession session) {
        try {
            CaptureRequest.Builder request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
            request.addTarget(preview);
            request.addTarget(reader.getSurface());
            request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE);
            session.setRepeatingRequest(request.build(), null, handler);
        } catch (CameraAccessException error) {
            fail(reason(error));
        } catch (RuntimeException error) { // closed or replaced in between
            fail(R.string.camera_failed);
        }
    }

    /** Convert a frame if the classifier is free, and give the camera its memory back at once in any case. */
    private void readFrame(Image image) {
        if (!classifier.takeFrame()) {
            return;
        }
        Picture picture = null;
        try {
            long start = System.nanoTime();
            Image.Plane[] planes = image.getPlanes();
            converter.convert(
                    planes[0].getBuffer(), planes[0].getRowStride(),
                    planes[1].getBuffer(), planes[2].getBuffer(), planes[1].getRowStride(), planes[1].getPixelStride(),
                    image.getWidth(), image.getHeight(), argb);
            int orientation = Orientation.ofFrame(choice.sensorDegrees, 90 * display.getRotation(), choice.front);
            picture = new Picture(
                    argb, image.getWidth(), image.getHeight(), orientation, System.nanoTime() - start);
        } finally {
            if (picture == null) {
                classifier.dropFrame();
            }
        }
        classifier.classifyFrame(picture);
    }

    private final class FrameListener implements ImageReader.OnImageAvailableListener {
        @Override
        public void onImageAvailable(ImageReader source) {
            if (stopped) {
                return;
            }
            try {
                Image image = source.acquireLatestImage();
                if (image == null) {
                    return;
                }
                try {
                    readFrame(image);
                } finally {
                    image.close();
                }
            } catch (RuntimeException error) { // planes that are not as the format promises
                fail(R.string.camera_failed);
            }
        }
    }

    private final class DeviceCallback extends CameraDevice.StateCallback {
        @Override
        public void onOpened(CameraDevice opened) {
            if (stopped) {
                opened.close();
                return;
            }
            device = opened;
            startSession();
        }

        @Override
        public void onDisconnected(CameraDevice lost) {
            lost.close();
            fail(R.string.camera_lost);
        }

        @Override
        public void onError(CameraDevice broken, int error) {
            broken.close();
            if (error == ERROR_CAMERA_IN_USE || error == ERROR_MAX_CAMERAS_IN_USE) {
                fail(R.string.camera_in_use);
            } else if (error == ERROR_CAMERA_DISABLED) {
                fail(R.string.camera_disabled);
            } else {
                fail(R.string.camera_failed);
            }
        }
    }

    private final class SessionCallback extends CameraCaptureSession.StateCallback {
        @Override
        public void onConfigured(CameraCaptureSession session) {
            if (!stopped) {
                startFrames(session);
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession session) {
            fail(R.string.camera_failed);
        }
    }
}
