// One video: its timeline, its clips, and the way to the next. The address says which is open.

const PREFIX = "#video=";
const SHEET = by_id("video");
const CALLED = new Map(VIDEOS.map((video) => [video.id, video]));
const address = (video) => PREFIX + encodeURIComponent(video.id);

function addressed() {
  if (!location.hash.startsWith(PREFIX)) return null;
  try {
    return CALLED.get(decodeURIComponent(location.hash.slice(PREFIX.length))) || null;
  } catch {
    return null; // not an address of ours
  }
}

function follow() {
  const video = addressed();
  if (!video) {
    if (SHEET.open) SHEET.close();
    return;
  }
  by_id("video-inside").replaceChildren(...sheet(video).filter(Boolean));
  if (!SHEET.open) SHEET.showModal();
  SHEET.scrollTop = 0;
  by_id("video-title").focus();
}

function sheet(video) {
  const at = view.found.indexOf(video);
  return [
    bar(at),
    html("h2", { id: "video-title", tabindex: "-1" }, video.id),
    lead(video),
    ...(video.clips().length ? [timeline(video, DATA.clip_threshold, DATA.clip_yes_from), legend(video), scale()] : []),
    facts(video),
    ...(video.clips().length ? [clips_table(video)] : []),
  ];
}

function bar(at) {
  const step = (words, to) => {
    const other = at < 0 ? null : view.found[to];
    const button = html("button", { type: "button", disabled: other ? null : "" }, words);
    button.addEventListener("click", () => location.replace(address(other)));
    return button;
  };
  const close = html("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => SHEET.close());
  return html("div", { class: "bar" }, close, step("Previous video", at - 1), step("Next video", at + 1));
}

function lead(video) {
  const said = html("p", { class: "lead" });
  if (video.answer) {
    const kind = video.answer === "Y" ? "yes" : null;
    said.append(html("strong", { class: kind }, ANSWERS[video.answer]), `, with a score of ${score(video.p)}. ${in_words(video)}`);
  } else {
    said.append(html("strong", {}, "Not scored"), `: ${video.error || video.kind || "no reason is known"}`);
  }
  return said;
}

function legend(video) {
  const one = (kind, words) => {
    const square =
      kind === "lost"
        ? hatched(0.5, 0.5, 9, 9)
        : svg("rect", { class: kind, x: 0.5, y: 0.5, width: 9, height: 9 });
    const drawn = svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, square);
    return html("span", {}, drawn, ` ${words}`);
  };
  return html(
    "p",
    { class: "legend quiet" },
    one("mark-yes", "clip: Yes"),
    one("mark-no", "clip: No"),
    video.n_failed ? one("lost", "not scored") : null,
    video.segments.length ? one("mark-marked", "marked by annotators") : null,
  );
}

const scale = () => (DATA.clips_in_words ? html("p", { class: "quiet" }, DATA.clips_in_words) : null);

function facts(video) {
  const known = [
    ["Length", length(video)],
    ["Clips", video.n_failed ? `${video.n_clips}, of which ${video.n_failed} not scored` : video.n_clips],
    ["Remarks", video.remarks.join(", ") || null],
    ["Label", video.label === null ? null : LABELS[video.label]],
    ["Reason", video.answer && video.kind ? `${video.kind}: ${video.error || ""}` : null],
  ].filter(([, value]) => value !== null && value !== "–");
  const made = known.map(([name, value]) =>
    html("div", {}, html("dt", {}, name), html("dd", {}, String(value))),
  );
  if (video.url) {
    const link = html("a", outside(video.url), video.path);
    made.push(html("div", {}, html("dt", {}, "Recording"), html("dd", {}, link)));
  }
  return html("dl", { class: "facts" }, ...made);
}

// Of a recording that is cut off, clips were planned for more than could be read.
function length(video) {
  const planned_s = Math.max(...video.clips().map((clip) => clip.end_s), 0);
  if (video.duration_s === null || planned_s < video.duration_s + 1) return clock(video.duration_s);
  return `${clock(video.duration_s)} could be read, of ${clock(planned_s)} or more`;
}

const outside = (url) => ({ href: url, target: "_blank", rel: "noopener noreferrer" });

function clips_table(video) {
  const has_frames = Object.keys(video.frames).length > 0;
  const heading = (words, kind) => html("th", { scope: "col", class: kind || null }, words);
  const head = html(
    "tr",
    {},
    heading("Clip"),
    heading("Score", "number"),
    heading("Answer"),
    video.segments.length ? heading("Marked A/H") : null,
    has_frames ? heading("Picture") : null,
  );
  const body = video.clips().map((clip) => clip_row(video, clip, has_frames));
  const table = html(
    "table",
    {},
    html("caption", { class: "unseen" }, "Clips of this video, in order"),
    html("thead", {}, head),
    html("tbody", {}, ...body),
  );
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Clips of this video" };
  return html("div", region, table);
}

function clip_row(video, clip, has_frames) {
  const when = `${clock(clip.start_s)} – ${clock(clip.end_s)}`;
  const linked = video.url ? html("a", outside(`${video.url}#t=${clip.start_s}`), when) : when;
  const answer = clip.p === null ? `not scored: ${clip.kind || "unknown"}` : ANSWERS[clip.said];
  return html(
    "tr",
    {},
    html("th", { scope: "row", class: "nowrap" }, linked),
    html("td", { class: "number" }, score(clip.p)),
    html("td", { class: clip.said === "Y" ? "yes" : null }, answer),
    video.segments.length ? html("td", {}, marked_s(video, clip)) : null,
    has_frames ? html("td", {}, picture(video, clip)) : null,
  );
}

// How much of a clip annotators marked: "3.8 s".
function marked_s(video, clip) {
  const shared = ([start_s, end_s]) => Math.min(end_s, clip.end_s) - Math.max(start_s, clip.start_s);
  const seconds = video.segments.reduce((sum, segment) => sum + Math.max(0, shared(segment)), 0);
  return seconds > 0 ? `${seconds.toFixed(1)} s` : "";
}

function picture(video, clip) {
  const jpeg = video.frames[clip.place];
  if (!jpeg) return null;
  const alt = `Picture from the middle of ${clock(clip.start_s)} to ${clock(clip.end_s)}`;
  return html("img", { src: `data:image/jpeg;base64,${jpeg}`, alt, loading: "lazy" });
}

SHEET.addEventListener("close", () => {
  const video = addressed();
  history.replaceState(null, "", "#videos");
  const row_link = video && [...by_id("rows").querySelectorAll("a")].find((link) => link.textContent === video.id);
  if (row_link) row_link.focus();
});
SHEET.addEventListener("click", (event) => {
  if (event.target === SHEET) SHEET.close(); // beside it
});
addEventListener("hashchange", follow);

heads();
find();
follow();
performance.mark("ready");
