package dev.edgeretrain.demo.app;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.shadow.api.Shadow.extract;

import android.Manifest;
import android.app.Activity;
import android.app.Application;
import android.content.Context;
import android.content.Intent;
import android.graphics.ImageFormat;
import android.hardware.camera2.CameraCharacteristics;
import android.net.Uri;
import android.provider.Settings;
import android.util.Size;
import android.view.View;
import android.widget.BaseAdapter;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.Spinner;
import android.widget.TextView;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.TestData;
import dev.edgeretrain.demo.model.ModelFile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowActivity;
import org.robolectric.shadows.ShadowApplication;
import org.robolectric.shadows.ShadowCameraCharacteristics;
import org.robolectric.shadows.ShadowCameraManager;
import org.robolectric.shadows.ShadowContentResolver;
import org.robolectric.shadows.ShadowLooper;
import org.robolectric.shadows.StreamConfigurationMapBuilder;
import org.tensorflow.lite.Interpreter;

/**
 * The whole app on Robolectric, with real models in its assets and LiteRT in the place of TFLite: what stands on the
 * screen. Android decodes the photos with its own code.
 */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class ScreensTest {
    private static final long PATIENCE_MILLIS = 60_000;

    private Application application;
    private ActivityController<MainActivity> controller;

    /** What is waited for. */
    private interface Condition {
        boolean holds();
    }

    @Before
    public void start() {
        application = RuntimeEnvironment.getApplication();
        Interpreter.delegateMakes = Interpreter.Delegates.THE_SAME;
        Interpreter.open = 0;
    }

    /** Every model that was opened is closed when the app goes. */
    @After
    public void end() {
        controller.pause().stop().destroy();
        waitFor("closed models", () -> Interpreter.open == 0);
    }

    @Test
    public void noCamera() {
        launch();
        assertTrue(text(R.id.problem_text).contains("no camera"));
        assertFalse(isShown(R.id.problem_button));
        waitForStatus("float32 on CPU (XNNPACK)");
    }

    /** Photos in all eight orientations, two of them with alpha: what Python says stands on the screen. */
    @Test
    public void photosAreNamedAsInPython() throws Exception {
        launch();
        waitForStatus("float32 on CPU (XNNPACK)");
        for (int number = 0; number < 8; number++) {
            String name = "photo0" + number;
            pick(TestData.bytes(TestData.made(name + ".png")));
            waitFor("the answer to " + name, () -> text(R.id.latency).contains("inference"));
            assertEquals(name, expected(name), text(R.id.verdict));
            assertNotNull(((ImageView) find(R.id.photo)).getDrawable());
            assertTrue(isShown(R.id.photo) && isShown(R.id.live));
        }
    }

    @Test
    public void twelveMegapixels() throws Exception {
        launch();
        ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
        ImageIO.write(new BufferedImage(4000, 3000, BufferedImage.TYPE_BYTE_GRAY), "jpg", jpeg);
        pick(jpeg.toByteArray());
        waitFor("an answer", () -> text(R.id.latency).contains("inference"));
        assertEquals(2000, ((ImageView) find(R.id.photo)).getDrawable().getIntrinsicWidth());
    }

    @Test
    public void noPhotoAfterAll() throws Exception {
        launch();
        byte[] png = TestData.bytes(TestData.made("photo00.png"));
        for (byte[] wrong : new byte[][] {{}, "no photo".getBytes("UTF-8"), Arrays.copyOf(png, 40)}) {
            pick(wrong);
            waitFor("the reason", () -> text(R.id.problem_text).contains("cannot be read"));
            find(R.id.problem_button).performClick(); // back to the live picture
            assertTrue(text(R.id.problem_text).contains("no camera"));
            assertFalse(isShown(R.id.live));
        }
    }

    @Test
    public void threeModelsOneOfThemBroken() {
        launch();
        waitForStatus("float32 on CPU (XNNPACK)");
        Spinner models = (Spinner) find(R.id.model);
        assertEquals(3, models.getCount());
        BaseAdapter adapter = (BaseAdapter) models.getAdapter();
        assertTrue(adapter.isEnabled(0) && adapter.isEnabled(1));
        assertFalse(adapter.isEnabled(2));
        models.setSelection(1);
        waitForStatus("int8 on CPU (XNNPACK)");
    }

    @Test
    public void rotationKeepsModelAndPhoto() throws Exception {
        launch();
        waitForStatus("float32 on CPU (XNNPACK)");
        ((Spinner) find(R.id.model)).setSelection(1);
        waitForStatus("int8 on CPU (XNNPACK)");
        pick(TestData.bytes(TestData.made("photo01.png")));
        waitFor("an answer", () -> text(R.id.latency).contains("inference"));
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange(application.getResources().getConfiguration());
        waitForStatus("int8 on CPU (XNNPACK)");
        waitFor("an answer", () -> text(R.id.latency).contains("inference"));
        assertTrue(isShown(R.id.photo));
    }

    @Test
    public void backgroundAndBack() {
        launch();
        waitForStatus("float32 on CPU (XNNPACK)");
        for (int round = 0; round < 3; round++) {
            controller.pause().stop().restart().start().resume();
        }
        waitForStatus("float32 on CPU (XNNPACK)");
    }

    @Test
    public void delegateThatAgrees() {
        chooseNnapi(Interpreter.Delegates.THE_SAME);
        waitForStatus("float32 on NNAPI. Agrees with the CPU on the test picture: largest difference 0.000");
    }

    @Test
    public void delegateThatAnswersOtherwise() {
        chooseNnapi(Interpreter.Delegates.ANOTHER_TOP);
        waitForStatus("float32 on the CPU, as NNAPI cannot be used: ");
    }

    @Test
    public void delegateThatFails() {
        chooseNnapi(Interpreter.Delegates.AN_ERROR);
        waitForStatus("float32 on the CPU, as NNAPI cannot be used: the driver refused");
    }

    @Test
    public void cameraDenied() {
        addCamera();
        launch();
        assertTrue(text(R.id.problem_text).contains("needs the camera"));
        assertEquals("Allow the camera", ((Button) find(R.id.problem_button)).getText());
        find(R.id.problem_button).performClick(); // Android would not ask again: to the app's settings
        ShadowApplication shadow = extract(application);
        Intent settings = shadow.getNextStartedActivity();
        while (settings != null && !Settings.ACTION_APPLICATION_DETAILS_SETTINGS.equals(settings.getAction())) {
            settings = shadow.getNextStartedActivity();
        }
        assertNotNull("the app's settings", settings);
    }

    @Test
    public void cameraAllowed() {
        addCamera();
        ShadowApplication shadow = extract(application);
        shadow.grantPermissions(Manifest.permission.CAMERA);
        launch();
        assertTrue(isShown(R.id.preview));
        assertFalse(isShown(R.id.problem));
    }

    private void launch() {
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        ShadowLooper.idleMainLooper();
    }

    private void chooseNnapi(Interpreter.Delegates makes) {
        Interpreter.delegateMakes = makes;
        launch();
        waitForStatus("float32 on CPU (XNNPACK)");
        ((Spinner) find(R.id.delegate)).setSelection(1);
    }

    private void pick(byte[] photo) {
        Uri uri = Uri.parse("content://photos/" + System.nanoTime());
        ShadowContentResolver photos = extract(application.getContentResolver());
        photos.registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(photo));
        find(R.id.pick).performClick();
        ShadowActivity activity = extract(controller.get());
        Intent asked = activity.getNextStartedActivityForResult().intent;
        activity.receiveResult(asked, Activity.RESULT_OK, new Intent().setData(uri));
    }

    private void addCamera() {
        CameraCharacteristics camera = ShadowCameraCharacteristics.newCameraCharacteristics();
        ShadowCameraCharacteristics values = extract(camera);
        values.set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK);
        values.set(CameraCharacteristics.SENSOR_ORIENTATION, 90);
        values.set(
                CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP,
                StreamConfigurationMapBuilder.newBuilder()
                        .addOutputSize(ImageFormat.YUV_420_888, new Size(640, 480))
                        .addOutputSize(new Size(640, 480))
                        .build());
        ShadowCameraManager cameras = extract(application.getSystemService(Context.CAMERA_SERVICE));
        cameras.addCamera("0", camera);
    }

    private static String expected(String name) throws Exception {
        ModelFile model = ModelFile.read(TestData.buffer(TestData.made("run/model.float32.tflite")), "float32");
        float[] probabilities = new float[model.labels.size()];
        TestData.buffer(TestData.made(name + ".float32.floats")).asFloatBuffer().get(probabilities);
        int top = 0;
        for (int i = 1; i < probabilities.length; i++) {
            top = probabilities[i] > probabilities[top] ? i : top;
        }
        return probabilities[top] < model.rejectBelow ? "None of these" : model.labels.get(top);
    }

    private void waitForStatus(String start) {
        waitFor("status " + start, () -> text(R.id.status).startsWith(start));
    }

    private void waitFor(String what, Condition condition) {
        long end = System.currentTimeMillis() + PATIENCE_MILLIS;
        ShadowLooper.idleMainLooper();
        while (!condition.holds()) {
            assertTrue(what + " did not come; status: " + text(R.id.status), System.currentTimeMillis() < end);
            try {
                Thread.sleep(10);
            } catch (InterruptedException error) {
                throw new AssertionError(error);
            }
            ShadowLooper.idleMainLooper();
        }
    }

    private String text(int id) {
        return ((TextView) find(id)).getText().toString();
    }

    private boolean isShown(int id) {
        return find(id).getVisibility() == View.VISIBLE;
    }

    private View find(int id) {
        return controller.get().findViewById(id);
    }
}
