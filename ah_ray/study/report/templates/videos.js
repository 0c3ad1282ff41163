// The table of videos: search, filter, sort, save. The address keeps all of it.

const COLUMNS = [
  { name: "Video", key: (video) => video.id, cells: (video) => [html("a", { href: link_to({ video: video.id, participant: "" }) }, video.id)] },
  {
    name: "Answer",
    key: (video) => video.answer || null,
    class_of: (video) => (video.answer === "Y" ? "yes" : null),
    cells: (video) => [ANSWERS[video.answer]],
  },
  HAS_LABELS ? { name: "Label", key: (video) => video.label, whole: true, cells: (video) => [video.label === null ? "–" : LABELS[video.label]] } : null,
  { name: "Score", key: (video) => video.p, number: true, falling: true, cells: (video) => [score(video.p)] },
  { name: "Highest at", key: (video) => video.moment_s, number: true, minor: true, cells: (video) => [clock(video.moment_s)] },
  {
    name: "Clips",
    key: (video) => video.n_clips,
    number: true,
    falling: true,
    minor: true,
    cells: (video) => [video.n_failed ? `${video.n_clips - video.n_failed}/${video.n_clips}` : video.n_clips],
  },
  { name: "Length", key: (video) => video.duration_s, number: true, falling: true, minor: true, cells: (video) => [clock(video.duration_s)] },
  PARTICIPANTS.length ? { name: "Participant", key: (video) => video.participant, minor: true, cells: (video) => participant_cell(video) } : null,
  { name: "Timeline", cells: (video) => [strip(video, DATA.clip_threshold), html("span", { class: "unseen" }, in_words(video))] },
  { name: "Remarks", key: (video) => video.noted || null, minor: true, cells: (video) => [video.noted] },
].filter(Boolean);

function participant_cell(video) {
  if (video.participant === null) return ["–"];
  return [html("a", { href: link_to({ participant: video.participant, video: "" }) }, video.participant)];
}

const WHICH = {
  all: () => true,
  Y: (video) => video.answer === "Y",
  N: (video) => video.answer === "N",
  partial: (video) => video.status === "partial",
  failed: (video) => video.status === "failed",
  remarks: (video) => video.remarks.length > 0,
  wrong: (video) => video.label !== null && video.answer !== "" && (video.answer === "Y") !== (video.label === 1),
};

const TABLE = grid({
  prefix: "",
  section: "videos",
  items: VIDEOS,
  columns: COLUMNS,
  noun: "video",
  link: (video) => address({ video: video.id, participant: "" }),
  changed: (state) => {
    VIEW.sort = state.sort;
    VIEW.order = state.falling === TABLE.is_falling_first(state.sort) ? "" : state.falling ? "falling" : "rising";
    VIEW.page = String(state.page + 1);
    replace_address();
  },
  shown: () => show_filter(),
});

function find() {
  const words = VIEW.search.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = WHICH[VIEW.which] || WHICH.all;
  const found = VIDEOS.filter((video) => wanted(video) && words.every((word) => video.haystack.includes(word)));
  TABLE.set(found, VIEW.sort, VIEW.order ? VIEW.order === "falling" : null, Number.parseInt(VIEW.page, 10) - 1 || 0);
  by_id("save").disabled = !found.length;
}

// What a printed table is a part of.
function show_filter() {
  const { state } = TABLE;
  const parts = [by_id("which").selectedOptions[0].textContent.trim()];
  if (VIEW.search.trim()) parts.push(`that match “${VIEW.search.trim()}”`);
  const order = `by ${state.sort} in ${state.falling ? "descending" : "ascending"} order`;
  by_id("filter").textContent = `Filter: ${parts.join(" ")}, ${order}. ${by_id("found").textContent}. ${DATA.page.model}, ${DATA.page.as_of}. ${DATA.page.purpose}`;
}

function filter_changed() {
  VIEW.search = by_id("search").value;
  VIEW.which = by_id("which").value;
  VIEW.page = "1";
  find();
  replace_address();
}

const CSV_COLUMNS = [
  { name: "video_id", value: (video) => video.id },
  PARTICIPANTS.length ? { name: "participant", value: (video) => video.participant } : null,
  PARTICIPANTS.length ? { name: "visit", value: (video) => video.visit } : null,
  PARTICIPANTS.length ? { name: "question", value: (video) => video.question } : null,
  { name: "status", value: (video) => video.status },
  { name: "answer", value: (video) => (video.answer ? ANSWERS[video.answer] : null) },
  { name: "p_ah", value: (video) => (video.p === null ? null : video.p / 1000) },
  HAS_LABELS ? { name: "label", value: (video) => video.label } : null,
  { name: "highest_at_s", value: (video) => video.moment_s },
  { name: "n_clips", value: (video) => video.n_clips },
  { name: "n_failed_clips", value: (video) => video.n_failed },
  { name: "duration_s", value: (video) => video.duration_s },
  { name: "error_kind", value: (video) => video.kind },
  { name: "error", value: (video) => video.error },
  { name: "remarks", value: (video) => video.remarks.join(", ") },
  DATA.videos.url ? { name: "recording", value: (video) => video.path } : null,
].filter(Boolean);

by_id("find").addEventListener("submit", (event) => event.preventDefault());
by_id("search").addEventListener("input", filter_changed);
by_id("which").addEventListener("change", filter_changed);
by_id("save").addEventListener("click", () => save_csv("videos.csv", csv_text(CSV_COLUMNS, TABLE.state.found)));
