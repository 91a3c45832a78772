package dev.edgeretrain.demo.app;

import android.app.Activity;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Spinner;
import dev.edgeretrain.demo.R;
import java.util.ArrayList;
import java.util.List;

/** The choice of model, threads and delegate. Kept over a rotation; a fresh start always begins on the CPU. */
final class SettingsPanel implements AdapterView.OnItemSelectedListener {
    /** Told when another model, number of threads or delegate is chosen, and once at the start. */
    interface Listener {
        void onChosen(AssetModel model, int threads, DelegateKind delegate);
    }

    private static final String MODEL = "model";
    private static final String THREADS = "threads";
    private static final String DELEGATE = "delegate";
    private static final Integer[] THREAD_CHOICES = {1, 2, 4};
    private static final int THREADS_AT_START = 1; // the position of 2

    private final Spinner models;
    private final Spinner threads;
    private final Spinner delegates;
    private final List<DelegateKind> kinds = DelegateKind.present();
    private final Listener listener;

    private String modelName; // of the last choice; null before the first
    private int threadPosition = THREADS_AT_START;
    private DelegateKind kind = DelegateKind.CPU;
    private boolean told;

    SettingsPanel(Activity activity, Bundle saved, Listener listener) {
        this.listener = listener;
        models = (Spinner) activity.findViewById(R.id.model);
        threads = (Spinner) activity.findViewById(R.id.threads);
        delegates = (Spinner) activity.findViewById(R.id.delegate);
        if (saved != null) {
            modelName = saved.getString(MODEL);
            threadPosition = saved.getInt(THREADS, THREADS_AT_START);
            DelegateKind before = DelegateKind.valueOf(saved.getString(DELEGATE, DelegateKind.CPU.name()));
            kind = kinds.contains(before) ? before : DelegateKind.CPU;
        }
        List<String> titles = new ArrayList<String>();
        for (DelegateKind one : kinds) {
            titles.add(activity.getString(one.title));
        }
        fill(activity, threads, THREAD_CHOICES, threadPosition);
        fill(activity, delegates, titles.toArray(new String[0]), kinds.indexOf(kind));
    }

    void save(Bundle state) {
        state.putString(MODEL, modelName);
        state.putInt(THREADS, threadPosition);
        state.putString(DELEGATE, kind.name());
    }

    /** Show the models and choose one: the one chosen before, else the first. At least one must be usable. */
    void setModels(Activity activity, List<AssetModel> found) {
        models.setAdapter(new ModelAdapter(activity, found));
        for (int position = 0; position < found.size(); position++) {
            if (found.get(position).usable() && found.get(position).name.equals(modelName)) {
                models.setSelection(position);
            }
        }
        models.setOnItemSelectedListener(this);
        threads.setOnItemSelectedListener(this);
        delegates.setOnItemSelectedListener(this);
        tell();
    }

    @Override
    public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
        tell();
    }

    @Override
    public void onNothingSelected(AdapterView<?> parent) {}

    /** Spinners also call when nothing changed, as after the first layout. */
    private void tell() {
        AssetModel model = (AssetModel) models.getSelectedItem();
        if (model == null || !model.usable()) {
            return;
        }
        DelegateKind chosen = kinds.get(delegates.getSelectedItemPosition());
        int position = threads.getSelectedItemPosition();
        if (told && model.name.equals(modelName) && position == threadPosition && chosen == kind) {
            return;
        }
        told = true;
        modelName = model.name;
        threadPosition = position;
        kind = chosen;
        listener.onChosen(model, THREAD_CHOICES[position], chosen);
    }

    private static <T> void fill(Activity activity, Spinner spinner, T[] items, int selected) {
        ArrayAdapter<T> adapter = new ArrayAdapter<T>(activity, android.R.layout.simple_spinner_item, items);
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        spinner.setAdapter(adapter);
        spinner.setSelection(selected);
    }
}
