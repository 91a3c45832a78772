package dev.edgeretrain.demo.app;

import android.app.Activity;
import android.graphics.Bitmap;
import android.view.View;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.TextView;
import dev.edgeretrain.demo.R;

/** Where the picture is: the live one, a photo, or the reason why there is none with a way out. */
final class PicturePanel {
    final PreviewView preview;

    private final ImageView photo;
    private final View problem;
    private final TextView problemText;
    private final Button problemButton;

    PicturePanel(Activity activity) {
        preview = (PreviewView) activity.findViewById(R.id.preview);
        photo = (ImageView) activity.findViewById(R.id.photo);
        problem = activity.findViewById(R.id.problem);
        problemText = (TextView) activity.findViewById(R.id.problem_text);
        problemButton = (Button) activity.findViewById(R.id.problem_button);
    }

    void showPreview() {
        show(preview);
    }

    void showPhoto(Bitmap bitmap) {
        photo.setImageBitmap(bitmap);
        show(photo);
    }

    /**
     * Say why there is no picture.
     *
     * @param button the string on the button, or 0 for none.
     * @param action what the button does.
     */
    void showProblem(String text, int button, View.OnClickListener action) {
        problemText.setText(text);
        problemButton.setVisibility(button == 0 ? View.GONE : View.VISIBLE);
        if (button != 0) {
            problemButton.setText(button);
        }
        problemButton.setOnClickListener(action);
        show(problem);
    }

    private void show(View shown) {
        for (View view : new View[] {preview, photo, problem}) {
            view.setVisibility(view == shown ? View.VISIBLE : View.GONE);
        }
        if (shown != photo) {
            photo.setImageBitmap(null);
        }
    }
}
