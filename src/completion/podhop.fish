# SPDX-License-Identifier: BSD-3-Clause
# podhop.fish - completion for fish: commands and options as `podhop help` tells them, pods
# as `podhop list` does.

function __podhop_commands
    podhop help 2>/dev/null | string replace -rf '^  podhop ([a-z]+) .*?  +(.*)' '$1\t$2'
end

function __podhop_pods
    podhop list -q 2>/dev/null | awk 'NR > 1 && $NF == "ok" { print $1 "/" $2; print $2 }'
end

function __podhop_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

complete -c podhop -f
complete -c podhop -n 'test (count (commandline -opc)) -eq 1' -a '(__podhop_commands)'
complete -c podhop -n '__podhop_is resolve capture doctor' -a '(__podhop_pods)'
complete -c podhop -n '__podhop_is report verify' -F
complete -c podhop -n '__podhop_is help' -a '(__podhop_commands)'

for command in (podhop help 2>/dev/null | string replace -rf '^  podhop ([a-z]+) .*' '$1')
    for line in (podhop help $command 2>/dev/null | string match -r '^ +-.*')
        # a value that may be left out: --name[=VALUE]
        set line (string replace -r '^( +--[a-z-]+)\[=[^ ]*' '$1' -- $line)
        set -l m (string match -r '^ +(?:-(.))?(?:, )?(?:--([a-z-]+))?(?: ([^ ]+))?  +(.*)' -- $line)
        test (count $m) -eq 5; or continue
        set -l spec -c podhop -n "__podhop_is $command" -d $m[5]
        test -n "$m[2]"; and set spec $spec -s $m[2]
        test -n "$m[3]"; and set spec $spec -l $m[3]
        switch "$m[4]"
            case ''
            case FILE DIR
                set spec $spec -r -F
            case POD
                set spec $spec -x -a '(__podhop_pods)'
            case '*|*'
                set spec $spec -x -a (string replace -a '|' ' ' -- $m[4])
            case '*'
                set spec $spec -x
        end
        complete $spec
    end
end
