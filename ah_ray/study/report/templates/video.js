// One video: its timeline, its clips, and the way to the next.

const SHEET = by_id("video");

function open_video(video) {
  stop_player();
  by_id("video-inside").replaceChildren(...sheet(video).filter(Boolean));
  if (!SHEET.open) SHEET.showModal();
  SHEET.scrollTop = 0;
  by_id("video-title").focus();
}

function sheet(video) {
  const has_clips = video.clips().length > 0;
  return [
    video_bar(video),
    print_head(),
    html("h2", { id: "video-title", tabindex: "-1" }, video.id),
    lead(video),
    ...(has_clips ? [timeline(video, DATA.clip_threshold, DATA.clip_yes_from), legend(video), ...lane_words(video), scale()] : []),
    facts(video),
    ...(can_play(video) ? [PLAYER, PLAYER_NEWS] : []),
    ...(has_clips ? [clips_table(video)] : []),
  ];
}

// What paper needs that the screen shows elsewhere.
function print_head() {
  const { title, as_of, model, purpose } = DATA.page;
  const line = html("p", { class: "printed" });
  line.append(html("strong", {}, title), ` · ${as_of} · ${model}`, html("br"), purpose);
  return line;
}

function bar(close, steps, noun, short) {
  const step = (direction, to) => {
    const name = `${direction} ${noun}`;
    const attributes = { type: "button", "aria-label": short ? name : null, disabled: to ? null : "" };
    const button = html("button", attributes, short ? direction : name);
    button.addEventListener("click", () => location.replace(to));
    return button;
  };
  const button = html("button", { type: "button", class: "close" }, "Close");
  button.addEventListener("click", close);
  return html("div", { class: "bar" }, button, step("Previous", steps[0]), step("Next", steps[1]));
}

// Of the table, or of the participant whose page is open.
function video_bar(video) {
  const person = VIEW.participant ? PARTICIPANT_BY_ID.get(VIEW.participant) : null;
  const order = person && person.videos.includes(video) ? person.videos : TABLE.state.found;
  const at = order.indexOf(video);
  const to = (place) => (at >= 0 && order[place] ? address({ video: order[place].id }) : null);
  return bar(() => SHEET.close(), [to(at - 1), to(at + 1)], "video", false);
}

function lead(video) {
  const words = html("p", { class: "lead" });
  if (video.answer) {
    const kind = video.answer === "Y" ? "yes" : null;
    words.append(html("strong", { class: kind }, ANSWERS[video.answer]), `, with a score of ${score(video.p)}. ${in_words(video)}`);
  } else {
    words.append(html("strong", {}, "Not scored"), `: ${video.error || video.kind || "no reason is known"}`);
  }
  return words;
}

function legend(video) {
  return html(
    "p",
    { class: "legend quiet" },
    legend_entry("mark-yes", "clip: Yes"),
    legend_entry("mark-no", "clip: No"),
    video.n_failed ? legend_entry("lost", "not scored") : null,
    video.segments.length ? legend_entry("mark-marked", "marked by annotators") : null,
  );
}

function legend_entry(kind, words) {
  const square =
    kind === "lost" ? hatched(0.5, 0.5, 9, 9) : svg("rect", { class: kind, x: 0.5, y: 0.5, width: 9, height: 9 });
  return html("span", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, square), ` ${words}`);
}

const scale = () => (DATA.clips_in_words ? html("p", { class: "quiet" }, DATA.clips_in_words) : null);

function facts(video) {
  const known = [
    ["Length", length(video)],
    ["Clips", video.n_failed ? `${video.n_clips}, ${video.n_failed} of them not scored` : video.n_clips],
    ["Visit", video.visit],
    ["Question", video.question],
    ["Remarks", video.remarks.join(", ") || null],
    ["Label", video.label === null ? null : LABELS[video.label]],
    ["Reason", video.answer && video.kind ? `${video.kind}: ${video.error || ""}` : null],
  ].filter(([, value]) => value !== null && value !== "–");
  const made = known.map(([name, value]) =>
    html("div", {}, html("dt", {}, name), html("dd", {}, String(value))),
  );
  if (video.participant !== null) {
    const link = html("a", { href: link_to({ participant: video.participant, video: "" }) }, video.participant);
    made.push(html("div", {}, html("dt", {}, "Participant"), html("dd", {}, link)));
  }
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
    has_lanes(video) ? heading("Readings") : null,
    video.segments.length ? heading(`Marked ${CONSTRUCT}`) : null,
    can_play(video) ? heading("Recording") : null,
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
  return scroll_region("Clips of this video", table);
}

const scroll_region = (name, table) =>
  html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, table);

function clip_row(video, clip, has_frames) {
  const when = `${clock(clip.start_s)} – ${clock(clip.end_s)}`;
  const linked = video.url ? html("a", outside(`${video.url}#t=${clip.start_s}`), when) : when;
  const answer = clip.p === null ? `not scored: ${clip.kind || "unknown"}` : ANSWERS[clip.answer];
  return html(
    "tr",
    {},
    html("th", { scope: "row", class: "nowrap" }, linked),
    html("td", { class: "number" }, score(clip.p)),
    html("td", { class: clip.answer === "Y" ? "yes" : null }, answer),
    has_lanes(video) ? html("td", {}, readings(video, clip.place, false).map(said_of).join(", ")) : null,
    video.segments.length ? html("td", {}, marked_s(video, clip)) : null,
    can_play(video) ? html("td", {}, play_button(video, clip)) : null,
    has_frames ? html("td", {}, picture(video, clip)) : null,
  );
}

function play_button(video, clip) {
  const name = `Play ${clock(clip.start_s)} to ${clock(clip.end_s)}`;
  const button = html("button", { type: "button", class: "play", "aria-label": name }, "Play");
  button.addEventListener("click", () => play_clip(video, clip));
  return button;
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
  if (SHEET.open) return; // opened again since
  stop_player();
  const closed = VIEW.video;
  VIEW.video = "";
  replace_address();
  const place = VIEW.participant ? by_id("participant-inside") : by_id("rows");
  focus_link(place, closed);
});
SHEET.addEventListener("click", (event) => {
  if (event.target === SHEET) SHEET.close(); // beside it
});

function focus_link(place, words) {
  const link = [...place.querySelectorAll("a")].find((one) => one.textContent === words);
  if (link) link.focus();
}
