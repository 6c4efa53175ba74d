/** Shared by the server-rendered document and the theme's switch. */
export const THEME_KEY = "millrace.theme";

/** Runs before the first paint, so that a dark page never flashes white. */
export const THEME_SCRIPT = `try{var t=JSON.parse(localStorage.getItem("${THEME_KEY}"));if(t==="light"||t==="dark")document.documentElement.dataset.theme=t}catch(e){}`;
