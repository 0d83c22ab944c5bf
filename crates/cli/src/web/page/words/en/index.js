import assistant from "./assistant.js";
import lessons from "./lessons.js";
import seeing from "./seeing.js";
import shell from "./shell.js";

/** @type {Record<string, string>} */
export default { ...shell, ...assistant, ...seeing, ...lessons };
