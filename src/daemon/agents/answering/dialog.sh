# Draws a dialog as the real program does, and does what the keys say. $1 = where to write what was
# done, $2 = how it behaves, $3 = its title, $4 = its last row, then the options.
out=$1 how=$2 title=$3 last=$4
shift 4
options=("$@")
at=0
stty -echo -icanon
draw() {
    printf '\033[2J\033[H● It works.\n\n'
    printf '▔%.0s' {1..80}
    printf '\n  %s\n\n' "$title"
    for i in "${!options[@]}"; do
        mark=' '
        [ "$i" = "$at" ] && mark='❯'
        printf '  %s %s. %s\n' "$mark" "$((i + 1))" "${options[i]}"
    done
    printf '\n  %s\n' "$last"
}
prompt() {
    printf '\033[2J\033[H● It works.\n\n'
    printf '─%.0s' {1..80}
    printf '\n❯\302\240\n'
    printf '─%.0s' {1..80}
    printf '\n  ? for shortcuts\n'
}
draw
while IFS= read -rsn1 key; do
    if [ -z "$key" ]; then
        echo "took ${options[at]}" >>"$out"
        prompt
    elif [ "$key" = $'\033' ] && ! IFS= read -rsn2 -t 0.2 key; then
        echo escape >>"$out"
        [ "$how" = deaf ] || prompt
    elif [ "$key" = '[A' ] || [ "$key" = '[B' ]; then
        echo "moved" >>"$out"
        [ "$key" = '[A' ] && [ "$at" -gt 0 ] && at=$((at - 1))
        [ "$key" = '[B' ] && [ "$how" != deaf ] && at=$((at + 1))
        [ "$how" = fickle ] && options[2]='Wait here, then continue automatically at 9pm'
        draw
    fi
done
