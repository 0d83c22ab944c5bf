// The views that show why.

import { lanView } from "./lan.js";
import { lessonView, lessonsView } from "./lessons.js";
import { openView } from "./open.js";
import { recordingView } from "./recording.js";

/** @type {Record<string, import("../main.js").Maker>} */
export const seeingViews = { recording: recordingView, lan: lanView, lessons: lessonsView, lesson: lessonView, open: openView };
