package dev.edgeretrain.demo.app;

import android.app.Activity;
import android.widget.TextView;
import dev.edgeretrain.demo.R;
import dev.edgeretrain.demo.model.Prediction;
import java.util.Collections;

/** The answer on the screen: verdict, bars, latency, and what runs. */
final class ResultPanel {
    private final Activity activity;
    private final TextView verdict;
    private final BarsView bars;
    private final TextView latency;
    private final TextView status;

    /** What a screen reader last said; it speaks again only when the label changes, not at each frame. */
    private String spoken;

    ResultPanel(Activity activity) {
        this.activity = activity;
        verdict = (TextView) activity.findViewById(R.id.verdict);
        bars = (BarsView) activity.findViewById(R.id.bars);
        latency = (TextView) activity.findViewById(R.id.latency);
        status = (TextView) activity.findViewById(R.id.status);
    }

    void show(Answer answer) {
        Prediction top = answer.predictions.get(0);
        String said = answer.rejected ? activity.getString(R.string.none_of_these) : top.label;
        if (!said.equals(spoken)) {
            spoken = said;
            verdict.setText(said);
        }
        bars.show(answer.predictions);
        latency.setText(activity.getString(R.string.latency, answer.preprocessMillis, answer.inferenceMillis));
    }

    /** No answer yet: the reason why. */
    void showNone(String reason) {
        spoken = null;
        verdict.setText(reason);
        bars.show(Collections.<Prediction>emptyList());
        latency.setText("");
    }

    void showStatus(String text) {
        status.setText(text);
    }
}
