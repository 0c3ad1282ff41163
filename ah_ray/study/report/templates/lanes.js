// What the model said of further questions, such as face and voice, beneath the timeline.

const LANES = DATA.lanes;
const LANE_STEP = 16;
const CONTRAST_STEP = 34;
const MOST_SENTENCES = 20;

// The likeliest answer to a question about a clip, or null where there is none.
function reading(video, place, number) {
  const { name, answers, positive } = LANES.questions[number];
  const p = video.answers[number].slice(place * answers.length, (place + 1) * answers.length);
  if (p.some((one) => one < 0)) return null;
  const at = p.indexOf(Math.max(...p));
  return { name, answer: answers[at], at, p: p[at], n: answers.length, shade: positive === null ? null : p[positive] };
}

function readings(video, place, compared_only) {
  return LANES.questions
    .map((question, number) => (compared_only && !question.compared ? null : reading(video, place, number)))
    .filter(Boolean);
}

const has_lanes = (video) => Boolean(LANES && video.answers && video.clips().length);

function lane_height(video) {
  if (!has_lanes(video)) return 0;
  return 12 + LANE_STEP * LANES.questions.length + CONTRAST_STEP * LANES.contrasts.length;
}

const lane_names = () =>
  LANES ? [...LANES.questions.map((question) => question.name), ...LANES.contrasts] : [];

function lane_shapes(video, x, top, end) {
  if (!has_lanes(video)) return [];
  const shapes = [];
  const clips = video.clips();
  let y = top + 12;
  LANES.questions.forEach((question, number) => {
    slots(clips).forEach(([start_s, end_s], place) => {
      const found = reading(video, place, number);
      if (!found) return;
      const attributes = { class: lane_kind(found), opacity: lane_opacity(found), x: x(start_s), y, height: 11 };
      attributes.width = Math.max(0.5, x(end_s) - x(start_s) - 1);
      const words = svg("title", {}, `${when_of(clips[place])}: ${said_of(found)}`);
      shapes.push(svg("rect", attributes, words));
    });
    shapes.push(svg("text", { x: end + 8, y: y + 10 }, question.name));
    y += LANE_STEP;
  });
  LANES.contrasts.forEach((name, number) => {
    shapes.push(...contrast_shapes(video, clips, number, x, y, end));
    shapes.push(svg("text", { x: end + 8, y: y + CONTRAST_STEP / 2 + 4 }, name));
    y += CONTRAST_STEP;
  });
  return shapes;
}

// A line from clip to clip, as high as the answers differ; it breaks where a clip has no answers.
function contrast_shapes(video, clips, number, x, top, end) {
  const base = top + CONTRAST_STEP - 6;
  const shapes = [svg("line", { class: "grid", x1: x(0), x2: end, y1: base, y2: base })];
  let path = "";
  let goes_on = false;
  video.contrasts[number].forEach((distance, place) => {
    if (distance < 0) {
      goes_on = false;
      return;
    }
    const at = [x((clips[place].start_s + clips[place].end_s) / 2), base - ((CONTRAST_STEP - 10) * distance) / 1000];
    path += `${goes_on ? "L" : "M"}${at[0]} ${at[1]}`;
    goes_on = true;
    const words = svg("title", {}, `${when_of(clips[place])}: ${LANES.contrasts[number]} ${part(distance)}`);
    shapes.push(svg("circle", { class: "point", cx: at[0], cy: at[1], r: 2 }, words));
  });
  shapes.splice(1, 0, svg("path", { class: "run", d: path }));
  return shapes;
}

function lane_kind(found) {
  if (found.shade !== null || found.at === 0) return "lane-first";
  return found.at === found.n - 1 ? "lane-last" : "lane-middle";
}

// Fainter where the answer is less sure; one of several by chance is faintest.
function lane_opacity(found) {
  if (found.shade !== null) return 0.08 + 0.92 * (found.shade / 1000);
  const chance = 1 / found.n;
  return 0.25 + 0.75 * Math.max(0, (found.p / 1000 - chance) / (1 - chance));
}

const part = (thousandths) => (thousandths / 1000).toFixed(2).replace(/^0/, "");
const when_of = (clip) => `${clock(clip.start_s)}–${clock(clip.end_s)}`;
const said_of = (found) => `${found.name} ${found.answer} (${part(found.p)})`;

function lane_legend() {
  const shown = LANES.questions.find((question) => question.positive === null);
  const entries = [];
  if (shown) {
    const last = shown.answers.length - 1;
    shown.answers.forEach((answer, at) => {
      entries.push(legend_entry(at === 0 ? "lane-first" : at === last ? "lane-last" : "lane-middle", answer));
    });
  }
  const marks = LANES.questions.filter((question) => question.positive !== null);
  const words = marks.length ? "; in one colour alone: the stronger, the likelier" : "";
  return html("p", { class: "legend quiet" }, ...entries, html("span", {}, `fainter: less sure${words}`));
}

// "0:15–0:20: the face reads negative (.81), the voice positive (.74)", of each Yes clip.
function sentences(video) {
  const yes = video.clips().filter((clip) => clip.answer === "Y" && readings(video, clip.place, true).length);
  const shown = [...yes].sort((a, b) => b.p - a.p).slice(0, MOST_SENTENCES);
  const items = yes.filter((clip) => shown.includes(clip)).map((clip) => html("li", {}, sentence(video, clip)));
  const more = yes.length > shown.length ? html("p", { class: "quiet" }, `The ${shown.length} clips with the highest scores, of ${yes.length} that are a Yes.`) : null;
  return items.length ? [html("ul", { class: "readings" }, ...items), more] : [];
}

function sentence(video, clip) {
  const said = readings(video, clip.place, true).map(
    (found, place) => `the ${found.name} ${place ? "" : "reads "}${found.answer} (${part(found.p)})`,
  );
  return `${when_of(clip)}: ${said.join(", ")}`;
}

function lane_words(video) {
  if (!has_lanes(video)) return [];
  const caution =
    "These readings are the model's own, and have not been validated: use them to decide where to look.";
  return [lane_legend(), ...sentences(video), html("p", { class: "quiet" }, caution)];
}
