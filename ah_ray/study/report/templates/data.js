// The videos and participants of the page, from the columns that it holds.

const DATA = JSON.parse(document.getElementById("data").textContent);
const by_id = (name) => document.getElementById(name);

function clips_of(columns, i) {
  const kinds = new Map(columns.failed[i]);
  const spans = columns.spans[i];
  return columns.p_clips[i].map((p, place) => {
    const start_s = spans ? spans[place][0] : place * DATA.hop_s;
    const end_s = spans ? spans[place][1] : Math.min(start_s + DATA.window_s, columns.end_s[i]);
    const kind = kinds.has(place) ? DATA.kinds[kinds.get(place)] : null;
    return { place, p, start_s, end_s, answer: columns.clip_answers[i][place], kind };
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
    answers: columns.answers ? columns.answers[i] : null,
    contrasts: columns.contrasts ? columns.contrasts[i] : null,
    frames: columns.frames ? columns.frames[i] : {},
    participant: columns.participant && columns.participant[i] !== null ? DATA.participants[columns.participant[i]] : null,
    visit: columns.visit ? columns.visit[i] : null,
    question: columns.question ? columns.question[i] : null,
    at: columns.at ? columns.at[i] : null,
    clips: () => clips_of(columns, i),
    surest: () => surest(one.clips()),
  };
  const scores = columns.p_clips[i];
  const most = scores.reduce((best, p, at) => (p !== null && (best < 0 || p > scores[best]) ? at : best), -1);
  one.moment_s = most < 0 ? null : columns.spans[i] ? columns.spans[i][most][0] : most * DATA.hop_s;
  one.noted = [one.kind, ...one.remarks].filter(Boolean).join(", ");
  const words = [one.id, one.participant, one.visit, one.question, one.noted, one.error, one.path];
  one.haystack = words.filter(Boolean).join(" ").toLowerCase();
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
const VIDEO_BY_ID = new Map(VIDEOS.map((video) => [video.id, video]));
const HAS_LABELS = Boolean(DATA.videos.label);
const ANSWERS = { Y: "Yes", N: "No", "": "–" };
const CONSTRUCT = DATA.page.construct;
const LABELS = { 1: CONSTRUCT, 0: `not ${CONSTRUCT}` };

// Participants with their videos in the order of time; those without a place in time come last.
function participants() {
  const found = new Map(DATA.participants.map((id) => [id, { id, videos: [] }]));
  for (const video of VIDEOS) {
    if (video.participant !== null) found.get(video.participant).videos.push(video);
  }
  return [...found.values()].map(summarize).filter((one) => one.videos.length);
}

function summarize(one) {
  const last = Number.MAX_VALUE;
  one.videos.sort((a, b) => (a.at ?? last) - (b.at ?? last) || a.place - b.place);
  const scored = one.videos.filter((video) => video.p !== null);
  one.visits = [...new Set(one.videos.map((video) => video.visit).filter((visit) => visit !== null))];
  one.n_scored = scored.length;
  one.n_yes = scored.filter((video) => video.answer === "Y").length;
  one.share = scored.length ? one.n_yes / scored.length : null;
  one.mean = scored.length ? scored.reduce((sum, video) => sum + video.p, 0) / scored.length : null;
  one.highest = scored.length ? Math.max(...scored.map((video) => video.p)) : null;
  one.last = scored.length ? scored[scored.length - 1] : null;
  return one;
}

const PARTICIPANTS = participants();
const PARTICIPANT_BY_ID = new Map(PARTICIPANTS.map((one) => [one.id, one]));
