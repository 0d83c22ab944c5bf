// The views of the assistant.

import { homeView } from "./home.js";
import { newView } from "./new.js";
import { scenarioView } from "./scenario.js";
import { sessionView } from "./session.js";

/** @type {Record<string, import("../main.js").Maker>} */
export const assistantViews = { home: homeView, new: newView, session: sessionView, scenario: scenarioView };
