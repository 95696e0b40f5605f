/** Completion scripts from commander's tree: words only, no calls to the daemon while someone types. */
import type { Command } from "commander";

/** Also read by zsh, which has no `mapfile` and whose `path` is the search path; no word holds a space. */
export function bashCompletion(program: Command): string {
  return `# bash completion for sallyport
_sallyport() {
  local current=\${COMP_WORDS[COMP_CWORD]} typed="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in --) return ;; -*) ;; *) typed="\${typed:+$typed }$word" ;; esac
  done
  case "$typed" in
${cases(program)}
  esac
}
complete -o default -F _sallyport sallyport`;
}

export function zshCompletion(program: Command): string {
  return `#compdef sallyport
autoload -U +X bashcompinit && bashcompinit
${bashCompletion(program)}`;
}

/** Deeper paths first: "sessions show"* before "sessions"*; the root fits everything. */
function cases(program: Command): string {
  return paths(program, "")
    .toSorted((a, b) => b.path.length - a.path.length)
    .map(({ path, words }) => {
      const pattern = path === "" ? "*" : `"${path}"*`;
      return `    ${pattern}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")) ;;`;
    })
    .join("\n");
}

function paths(command: Command, path: string): { path: string; words: string[] }[] {
  const globals = ["--help", "--json", "--run", "--url", "--ca"];
  const options = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
  const words = [...new Set([...command.commands.map((child) => child.name()), ...options, ...globals])];
  const below = command.commands.flatMap((child) =>
    paths(child, path === "" ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words }, ...below];
}
