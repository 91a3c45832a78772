// The page: asks for the newest answer and frame, one request at a time, and shows them.
"use strict";

const NOTHING = "nothing known"; // as `edgeretrain classify` says it
const NEW = "\n"; // the choice "new class": no class is called that
const PAUSE = 100; // ms between two frames, at least: eyes and small boards need no more

const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let setup = null;
let frame = null; // the frame that is shown, as a Blob: what is saved is what was seen
let photo = null; // the photo that was uploaded
let ended = false;

history.replaceState(null, "", location.pathname); // the token need not stay in the address

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Edgeretrain": "1" }, cache: "no-store" });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(told.error || `The device answered ${answer.status}.`, answer.status);
}

function tell(id, message) {
  const place = $(id);
  if (place.textContent !== (message || "")) place.textContent = message || ""; // said once by a screen reader
  place.hidden = !message;
}

function showBars(list, scores, held) {
  while (list.children.length > scores.length) list.lastChild.remove();
  while (list.children.length < scores.length) {
    const item = document.createElement("li");
    item.append(document.createElement("bdi"), document.createElement("span"));
    list.append(item);
  }
  scores.forEach(([label, score], index) => {
    const item = list.children[index];
    item.firstChild.textContent = label;
    item.lastChild.textContent = percent(score);
    item.style.setProperty("--v", score);
    item.classList.toggle("held", label === held);
  });
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showHistory(entries) {
  $("no-history").hidden = entries.length > 0;
  const list = $("history");
  const newest = entries.length ? String(entries[0].time) : "";
  if (list.dataset.newest === newest) return;
  list.dataset.newest = newest;
  list.replaceChildren(
    ...entries.map(({ time, label, score }) => {
      const item = document.createElement("li");
      const when = document.createElement("time");
      const moment = new Date(1000 * time);
      when.dateTime = moment.toISOString();
      when.textContent = moment.toLocaleTimeString();
      const what = document.createElement("bdi");
      what.textContent = label ?? NOTHING;
      const share = document.createElement("span");
      share.textContent = percent(score);
      item.append(when, what, share);
      return item;
    }),
  );
}

function showState(state) {
  tell("problem", state.problem);
  showHistory(state.history);
  if (state.scores === undefined) return;
  setText($("label"), state.label ?? NOTHING);
  showBars($("bars"), state.scores, state.label);
  $("speed").textContent = `${state.fps.toFixed(1)} frames a second, ${state.latency_ms.toFixed(0)} ms from picture to label`;
}

async function showPicture(image, blob) {
  const before = image.src;
  image.src = URL.createObjectURL(blob);
  image.hidden = false;
  if (before) URL.revokeObjectURL(before);
  await image.decode().catch(() => {});
}

function showClasses(counts, chosen) {
  const list = $("class");
  const options = Object.entries(counts).map(([name, count]) => new Option(`${name} (${count})`, name));
  list.replaceChildren(...options, new Option("new class …", NEW));
  if (chosen !== undefined) list.value = chosen;
  showChoice();
}

function showChoice() {
  const chosen = $("class").value;
  $("new-class").hidden = chosen !== NEW;
  $("save-photo").textContent = `Save this photo as ${chosen === NEW ? "a new class" : chosen}`;
}

async function getSetup() {
  setup = await (await ask("setup")).json();
  $("version").textContent = setup.version;
  setText($("model"), setup.model);
  document.title = `${setup.model}: edgeretrain`;
  $("collect").hidden = setup.classes === null;
  if (setup.classes !== null) showClasses(setup.classes, $("class").value || undefined);
}

async function watch() {
  let number = 0;
  while (!ended) {
    const began = performance.now();
    try {
      if (setup === null) await getSetup();
      const state = await (await ask(`state?after=${number}`)).json();
      showState(state);
      if (state.number !== number) {
        frame = await (await ask("frame")).blob();
        await showPicture($("frame"), frame);
        $("save-frame").disabled = false;
        number = state.number;
      }
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) {
        ended = true;
        tell("problem", `${error.message} Open the address that \`edgeretrain serve\` printed.`);
        return;
      }
      const why = error instanceof Refused ? error.message : "No connection to the device.";
      tell("problem", `${why} Trying again.`);
      setup = null; // it may be another one when it is back
      await sleep(2000);
    }
    await sleep(Math.max(0, PAUSE - (performance.now() - began)));
    if (document.hidden) {
      await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
    }
  }
}

async function upload(event) {
  const file = event.target.files[0];
  event.target.value = ""; // the same photo may be chosen again
  if (!file) return;
  tell("photo-problem", null);
  $("photo").hidden = true;
  $("photo-saved").textContent = "";
  tell("photo-save-problem", null);
  photo = null;
  try {
    if (setup !== null && file.size > setup.max_upload) {
      throw new Refused(`The photo is larger than ${setup.max_upload / 1e6} MB. Choose a smaller one.`, 413);
    }
    const answer = await (await ask("classify", { method: "POST", body: file })).json();
    photo = file;
    $("photo").hidden = false;
    setText($("photo-label"), answer.label ?? NOTHING);
    showBars($("photo-bars"), answer.scores, answer.label);
    $("save-photo").hidden = setup?.classes == null;
    await showPicture($("photo-picture"), file);
  } catch (error) {
    tell("photo-problem", error instanceof Refused ? error.message : "The photo did not reach the device. Try again.");
  }
}

async function save(event) {
  event.preventDefault();
  const own = event.submitter?.value === "photo";
  const content = own ? photo : frame;
  const [done, problem] = own ? ["photo-saved", "photo-save-problem"] : ["saved", "save-problem"];
  const chosen = $("class").value;
  const name = chosen === NEW ? $("name").value : chosen;
  tell(problem, null);
  $(done).textContent = "";
  if (!content) return;
  try {
    const options = { method: "POST", body: content };
    const answer = await (await ask(`photos?label=${encodeURIComponent(name)}`, options)).json();
    const label = answer.saved.split("/")[0];
    showClasses(answer.classes, label);
    $("name").value = "";
    $(done).textContent = `Saved as ${label}: ${answer.classes[label]} there now.`;
  } catch (error) {
    tell(problem, error instanceof Refused ? error.message : "The photo did not reach the device. Try again.");
  }
}

$("take").addEventListener("change", upload);
$("choose").addEventListener("change", upload);
$("save").addEventListener("submit", save);
$("class").addEventListener("change", () => {
  showChoice();
  if (!$("new-class").hidden) $("name").focus();
});
watch();
