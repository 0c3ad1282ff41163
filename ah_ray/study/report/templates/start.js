// From the address to the view, at the start and whenever the address changes.

function follow_address() {
  const view = view_in_address();
  if (view === null) {
    close_sheets();
    return;
  }
  Object.assign(VIEW, view);
  if (!WHICH[VIEW.which] || !by_id("which").querySelector(`[value="${CSS.escape(VIEW.which)}"]`)) VIEW.which = DEFAULTS.which;
  by_id("search").value = VIEW.search;
  by_id("which").value = VIEW.which;
  find();
  open_sheets();
}

function open_sheets() {
  const person = VIEW.participant ? PARTICIPANT_BY_ID.get(VIEW.participant) : null;
  const video = VIEW.video ? VIDEO_BY_ID.get(VIEW.video) : null;
  const unknown = [
    VIEW.video && !video ? `no video “${VIEW.video}”` : null,
    VIEW.participant && !person ? `no participant “${VIEW.participant}”` : null,
  ].filter(Boolean);
  if (SHEET.open && (!video || (person && !PERSON_SHEET.open))) SHEET.close(); // it lies on top
  if (PERSON_SHEET.open && !person) {
    if (SHEET.open) SHEET.close(); // it lies on the participant's page
    PERSON_SHEET.close();
  }
  Object.assign(VIEW, { video: video ? video.id : "", participant: person ? person.id : "" });
  if (person) open_participant(person);
  if (video) open_video(video);
  by_id("unknown").hidden = !unknown.length;
  if (unknown.length) {
    by_id("unknown").textContent = `This page has ${unknown.join(" and ")}. Search for it below, or make the page again if it is new.`;
    by_id("videos").scrollIntoView();
  }
}

function close_sheets() {
  if (SHEET.open) SHEET.close();
  if (PERSON_SHEET.open) PERSON_SHEET.close();
}

addEventListener("hashchange", follow_address);
find();
follow_address();
performance.mark("ready");
