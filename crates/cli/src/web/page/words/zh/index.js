import assistant from "./assistant.js";
import events from "./events.js";
import findings from "./findings.js";
import lessons from "./lessons.js";
import peel from "./peel.js";
import seeing from "./seeing.js";
import shell from "./shell.js";
import trouble from "./trouble.js";

/** @type {Record<string, string>} */
export default { ...shell, ...assistant, ...seeing, ...lessons, ...findings, ...peel, ...trouble, ...events };
