// The table of videos: search, filter, sort, pages.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ROWS_A_PAGE = 50;
const by_id = (name) => document.getElementById(name);

function clips_of(columns, i) {
  const kinds = new Map(columns.failed[i]);
  const spans = columns.spans[i];
  return columns.p_clips[i].map((p, place) => {
    const start_s = spans ? spans[place][0] : place * DATA.hop_s;
    const end_s = spans ? spans[place][1] : Math.min(start_s + DATA.window_s, columns.end_s[i]);
    const kind = kinds.has(place) ? DATA.kinds[kinds.get(place)] : null;
    return { place, p, start_s, end_s, said: columns.said[i][place], kind };
  });
}

function video_of(columns, i) {
  const kind = columns.kind[i];
  const one = {
    place: i,
    id: columns.id[i],
    p: columns.p[i],
    answer: columns.answer[i],
    status: DATA.statuses[columns.status[i]],
    kind: kind === null ? null : DATA.kinds[kind],
    error: columns.error[i],
    duration_s: columns.duration_s[i],
    n_clips: columns.n_clips[i],
    n_failed: columns.n_failed[i],
    remarks: columns.remarks[i],
    label: columns.label ? columns.label[i] : null,
    segments: columns.segments ? columns.segments[i] : [],
    url: columns.url ? columns.url[i] : null,
    path: columns.url && columns.url[i] ? plain(columns.url[i]) : null,
    frames: columns.frames ? columns.frames[i] : {},
    clips: () => clips_of(columns, i),
    surest: () => surest(one.clips()),
  };
  const scores = columns.p_clips[i];
  const most = scores.reduce((best, p, at) => (p !== null && (best < 0 || p > scores[best]) ? at : best), -1);
  one.moment_s = most < 0 ? null : columns.spans[i] ? columns.spans[i][most][0] : most * DATA.hop_s;
  one.noted = [one.kind, ...one.remarks].filter(Boolean).join(", ");
  one.haystack = [one.id, one.noted, one.error, one.path].filter(Boolean).join(" ").toLowerCase();
  return one;
}

// A recording's address as people write it; a name need not be UTF-8.
function plain(url) {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

const surest = (clips) =>
  clips.filter((clip) => clip.p !== null).reduce((a, b) => (b.p > a.p ? b : a));

const VIDEOS = (DATA.videos.id || []).map((_, i) => video_of(DATA.videos, i));
const HAS_LABELS = Boolean(DATA.videos.label);
const ANSWERS = { Y: "Yes", N: "No", "": "–" };
const LABELS = { 1: "A/H", 0: "not A/H" };

const COLUMNS = [
  { name: "Video", key: (video) => video.id },
  { name: "Answer", key: (video) => video.answer || null },
  HAS_LABELS ? { name: "Label", key: (video) => video.label, whole: true } : null,
  { name: "Score", key: (video) => video.p, number: true, falling: true },
  { name: "Highest at", key: (video) => video.moment_s, number: true, minor: true },
  { name: "Clips", key: (video) => video.n_clips, number: true, falling: true, minor: true },
  { name: "Length", key: (video) => video.duration_s, number: true, falling: true, minor: true },
  { name: "Timeline" },
  { name: "Remarks", key: (video) => video.noted || null, minor: true },
].filter(Boolean);

const WHICH = {
  all: () => true,
  Y: (video) => video.answer === "Y",
  N: (video) => video.answer === "N",
  partial: (video) => video.status === "partial",
  failed: (video) => video.status === "failed",
  remarks: (video) => video.remarks.length > 0,
  wrong: (video) => video.label !== null && video.answer !== "" && (video.answer === "Y") !== (video.label === 1),
};

const view = { sort: "Score", falling: true, page: 0, found: VIDEOS };

// Nulls come last, whichever way; equals stay in the order of ids.
function sorted(videos) {
  const { key } = COLUMNS.find((column) => column.name === view.sort);
  const sign = view.falling ? -1 : 1;
  return videos.slice().sort((a, b) => {
    const [p, q] = [key(a), key(b)];
    if (p === null || q === null) return (p === null) - (q === null) || a.place - b.place;
    return sign * ((p > q) - (p < q)) || a.place - b.place;
  });
}

function find() {
  const words = by_id("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = WHICH[by_id("which").value];
  view.found = sorted(
    VIDEOS.filter((video) => wanted(video) && words.every((word) => video.haystack.includes(word))),
  );
  view.page = 0;
  show();
}

function show() {
  const n = view.found.length;
  const pages = Math.max(1, Math.ceil(n / ROWS_A_PAGE));
  const first = view.page * ROWS_A_PAGE;
  const some = view.found.slice(first, first + ROWS_A_PAGE);
  by_id("rows").replaceChildren(...some.map(row));
  by_id("found").textContent = n
    ? `${(first + 1).toLocaleString("en")}–${(first + some.length).toLocaleString("en")} of ${n.toLocaleString("en")} videos`
    : "No video matches";
  by_id("where").textContent = `Page ${view.page + 1} of ${pages}`;
  by_id("first").disabled = by_id("back").disabled = view.page === 0;
  by_id("last").disabled = by_id("forward").disabled = view.page >= pages - 1;
}

function turn_to(page) {
  view.page = page;
  show();
  by_id("videos").scrollIntoView();
}

const styled = (column) =>
  [column.number && "number", column.minor && "minor", column.whole && "nowrap"].filter(Boolean).join(" ") || null;

const CELLS = {
  Video: (video) => [html("a", { href: address(video) }, video.id)],
  Answer: (video) => [ANSWERS[video.answer]],
  Label: (video) => [video.label === null ? "–" : LABELS[video.label]],
  Score: (video) => [score(video.p)],
  "Highest at": (video) => [clock(video.moment_s)],
  Clips: (video) => [video.n_failed ? `${video.n_clips - video.n_failed}/${video.n_clips}` : video.n_clips],
  Length: (video) => [clock(video.duration_s)],
  Timeline: (video) => [strip(video, DATA.clip_threshold), html("span", { class: "unseen" }, in_words(video))],
  Remarks: (video) => [video.noted],
};

function row(video) {
  const cells = COLUMNS.map((column) => {
    const is_yes = column.name === "Answer" && video.answer === "Y";
    const attributes = { class: is_yes ? "yes" : styled(column) };
    const inside = CELLS[column.name](video);
    if (column.name === "Video") return html("th", { ...attributes, scope: "row" }, ...inside);
    return html("td", attributes, ...inside);
  });
  const made = html("tr", {}, ...cells);
  made.addEventListener("click", (event) => {
    if (!event.target.closest("a") && String(getSelection()) === "") made.querySelector("a").click();
  });
  return made;
}

function heads() {
  const made = COLUMNS.map((column) => {
    const attributes = { scope: "col", class: styled(column) };
    if (!column.key) return html("th", attributes, column.name);
    const here = column.name === view.sort;
    if (here) attributes["aria-sort"] = view.falling ? "descending" : "ascending";
    const arrow = html("span", { "aria-hidden": "true" }, here ? (view.falling ? " ↓" : " ↑") : "");
    const button = html("button", { type: "button" }, column.name, arrow);
    button.addEventListener("click", () => sort_by(column));
    return html("th", attributes, button);
  });
  by_id("heads").replaceChildren(...made);
}

function sort_by(column) {
  view.falling = column.name === view.sort ? !view.falling : Boolean(column.falling);
  view.sort = column.name;
  heads();
  find();
  by_id("heads").querySelector("[aria-sort] button").focus();
}

by_id("find").addEventListener("submit", (event) => event.preventDefault());
by_id("search").addEventListener("input", find);
by_id("which").addEventListener("change", find);
by_id("first").addEventListener("click", () => turn_to(0));
by_id("back").addEventListener("click", () => turn_to(view.page - 1));
by_id("forward").addEventListener("click", () => turn_to(view.page + 1));
by_id("last").addEventListener("click", () => turn_to(Math.ceil(view.found.length / ROWS_A_PAGE) - 1));
