package dev.edgeretrain.demo.app;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Context;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraManager;
import android.net.Uri;
import android.os.Bundle;
import android.provider.Settings;
import android.view.Display;
import android.view.SurfaceHolder;
import android.view.View;
import dev.edgeretrain.demo.R;
import java.util.Arrays;
import java.util.List;

/**
 * The screen. It shows either the live picture or a photo; this class decides which, and connects camera, classifier
 * and panels. It is made anew at each rotation: photo and settings are kept, the camera and the model opened again.
 */
public final class MainActivity extends Activity
        implements SurfaceHolder.Callback, CameraSource.Listener, ClassifierThread.Listener, SettingsPanel.Listener {
    private static final String PHOTO = "photo";
    private static final String ASKED = "asked";
    private static final int PICK_PHOTO = 1;
    private static final int ASK_CAMERA = 2;

    private PicturePanel picture;
    private ResultPanel result;
    private SettingsPanel settings;
    private View liveButton;
    private ClassifierThread classifier;
    private CameraManager manager;

    private Uri photo; // null: live
    private boolean asked; // for the camera's permission, once without being told to
    private boolean resumed;
    private int[] surface; // {width, height} of the preview's surface; null: there is none
    private CameraChoice choice; // null: not to be started now
    private CameraSource camera; // null: not running

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.main);
        manager = (CameraManager) getSystemService(Context.CAMERA_SERVICE);
        picture = new PicturePanel(this);
        result = new ResultPanel(this);
        settings = new SettingsPanel(this, saved, this);
        picture.preview.getHolder().addCallback(this);
        liveButton = findViewById(R.id.live);
        liveButton.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                goLive();
            }
        });
        findViewById(R.id.pick).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                pickPhoto();
            }
        });
        classifier = new ClassifierThread(getApplicationContext(), this);
        classifier.findModels();
        if (saved != null) {
            asked = saved.getBoolean(ASKED);
            Uri before = saved.getParcelable(PHOTO);
            if (before != null) {
                openPhoto(before);
            }
        }
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putParcelable(PHOTO, photo);
        state.putBoolean(ASKED, asked);
        settings.save(state);
    }

    @Override
    protected void onResume() {
        super.onResume();
        resumed = true;
        startCamera();
    }

    @Override
    protected void onPause() {
        resumed = false;
        stopCamera();
        super.onPause();
    }

    @Override
    protected void onDestroy() {
        classifier.close();
        super.onDestroy();
    }

    // The live picture

    /** Start the live picture if it is wanted, or say why there is none. */
    private void startCamera() {
        if (!resumed || photo != null || camera != null) {
            return;
        }
        try {
            choice = CameraChoice.find(manager);
        } catch (CameraAccessException error) {
            onCameraFailed(R.string.camera_failed);
            return;
        } catch (RuntimeException error) { // a camera unplugged in this moment
            onCameraFailed(R.string.camera_failed);
            return;
        }
        if (choice == null) {
            picture.showProblem(getString(R.string.no_camera), 0, null);
        } else if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            Display display = getWindowManager().getDefaultDisplay();
            boolean turned = Orientation.swapsSides(
                    Orientation.ofFrame(choice.sensorDegrees, 90 * display.getRotation(), choice.front));
            int width = choice.preview[0];
            int height = choice.preview[1];
            picture.preview.setPictureSize(turned ? height : width, turned ? width : height);
            picture.preview.getHolder().setFixedSize(width, height);
            picture.showPreview();
            startOnSurface();
        } else {
            choice = null;
            explainPermission();
            if (!asked) {
                askForCamera();
            }
        }
    }

    /** Open the camera as soon as the surface has the size that the camera was chosen to deliver. */
    private void startOnSurface() {
        if (!resumed || photo != null || camera != null || choice == null || !Arrays.equals(surface, choice.preview)) {
            return;
        }
        Display display = getWindowManager().getDefaultDisplay();
        camera = new CameraSource(
                manager, choice, picture.preview.getHolder().getSurface(), display, classifier, this);
        camera.start();
    }

    private void stopCamera() {
        choice = null;
        if (camera != null) {
            camera.stop();
            camera = null;
        }
    }

    @Override
    public void surfaceCreated(SurfaceHolder holder) {} // surfaceChanged follows

    @Override
    public void surfaceChanged(SurfaceHolder holder, int format, int width, int height) {
        surface = new int[] {width, height};
        startOnSurface();
    }

    @Override
    public void surfaceDestroyed(SurfaceHolder holder) {
        surface = null;
        if (camera != null) { // the camera must not draw on it any more
            camera.stop();
            camera = null;
        }
    }

    @Override
    public void onCameraFailed(int reason) {
        stopCamera();
        picture.showProblem(getString(reason), R.string.try_again, new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                startCamera();
            }
        });
    }

    private void explainPermission() {
        picture.showProblem(getString(R.string.camera_denied), R.string.allow_camera, new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                if (shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
                    askForCamera();
                } else { // denied for good: Android would not ask again
                    Uri app = Uri.fromParts("package", getPackageName(), null);
                    startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app));
                }
            }
        });
    }

    private void askForCamera() {
        asked = true;
        requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
        startCamera(); // does nothing before onResume(), which does the same
    }

    // Photos

    private void pickPhoto() {
        Intent pick = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*");
        Intent get = new Intent(Intent.ACTION_GET_CONTENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*");
        for (Intent intent : new Intent[] {pick, get}) {
            try {
                startActivityForResult(intent, PICK_PHOTO);
                return;
            } catch (ActivityNotFoundException error) {
                // The other one may be there.
            }
        }
        result.showStatus(getString(R.string.no_photo_app));
    }

    @Override
    protected void onActivityResult(int request, int code, Intent data) {
        if (request == PICK_PHOTO && code == RESULT_OK && data != null && data.getData() != null) {
            openPhoto(data.getData());
        }
    }

    private void openPhoto(Uri uri) {
        photo = uri;
        stopCamera();
        liveButton.setVisibility(View.VISIBLE);
        result.showNone(getString(R.string.waiting));
        classifier.openPhoto(uri);
    }

    private void goLive() {
        photo = null;
        liveButton.setVisibility(View.GONE);
        result.showNone(getString(R.string.waiting));
        classifier.closePhoto();
        startCamera();
    }

    // What the classifier says

    @Override
    public void onModels(List<AssetModel> models) {
        StringBuilder problems = new StringBuilder();
        for (AssetModel model : models) {
            if (model.usable()) {
                settings.setModels(this, models);
                return;
            }
            problems.append(problems.length() == 0 ? "" : "\n").append(model.problem);
        }
        result.showNone("");
        result.showStatus(
                models.isEmpty() ? getString(R.string.no_model) : getString(R.string.no_usable_model, problems));
    }

    @Override
    public void onChosen(AssetModel model, int threads, DelegateKind delegate) {
        result.showNone(getString(R.string.loading));
        result.showStatus("");
        classifier.load(model, threads, delegate);
    }

    @Override
    public void onLoaded(LoadedModel model) {
        result.showNone(getString(R.string.waiting));
        result.showStatus(model.status);
    }

    @Override
    public void onNotLoaded(String message) {
        result.showNone("");
        result.showStatus(message);
    }

    @Override
    public void onPhoto(Bitmap bitmap) {
        if (photo != null) {
            picture.showPhoto(bitmap);
        }
    }

    @Override
    public void onNoPhoto(String message) {
        if (photo == null) {
            return;
        }
        result.showNone("");
        picture.showProblem(message, R.string.live_camera, new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                goLive();
            }
        });
    }

    @Override
    public void onAnswer(Answer answer, boolean ofPhoto) {
        if (ofPhoto == (photo != null)) {
            result.show(answer);
        }
    }

    @Override
    public void onFailure(String message) {
        result.showNone("");
        result.showStatus(message);
    }
}
